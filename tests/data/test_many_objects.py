"""Pictures with more objects than settings have room for are counted."""

from __future__ import annotations

import logging

import pytest
from coco_files import MakeCoco, annotation

from focus_detr.config.schema import (
    Config,
    DataConfig,
    DecoderConfig,
    EvalConfig,
    ModelConfig,
    TrainConfig,
)
from focus_detr.data.build import build_eval_loader, build_train_loader
from focus_detr.data.formats import read_annotations
from focus_detr.data.many_objects import COMPARED, DETECTED, warn_many_objects


@pytest.fixture
def path(make_coco: MakeCoco) -> str:
    boxes = [
        annotation(number, image, (2 * number, 0, 2, 5), category_id=3 if number % 3 else 7)
        for image, count in ((1, 30), (2, 21), (3, 5))
        for number in range(count)
    ]
    crowds = [annotation(0, 3, (number, 0, 2, 5), iscrowd=1) for number in range(40)]
    return str(make_coco([(20, 80)] * 3, [*boxes, *crowds]))


def test_each_class_alone_and_all_together(path: str, caplog: pytest.LogCaptureFixture) -> None:
    read = read_annotations(path)
    warn_many_objects(read, {COMPARED: 20, DETECTED: 30})
    assert not caplog.records
    warn_many_objects(read, {COMPARED: 15, DETECTED: 20})
    compared, detected = (record.getMessage() for record in caplog.records)
    assert compared == (
        f"{path}: up to 20 objects in 1 image, counting each class alone, but eval.max_detections "
        "is 15: metrics leave out what is found beyond that; set it to 20"
    )
    assert detected.startswith(f"{path}: up to 30 objects in 2 images, but model.max_detections is")


def test_training_and_evaluation_say_it_at_their_start(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(
        model=ModelConfig(decoder=DecoderConfig(queries=25), max_detections=25),
        data=DataConfig(
            train_annotations=path, val_annotations=path, target_buckets=(29,), workers=0
        ),
        train=TrainConfig(batch_size=1),
        eval=EvalConfig(max_detections=200),
    )
    with caplog.at_level(logging.WARNING):
        build_train_loader(config, seed=0)
    told = "up to 30 objects in 1 image, but "
    assert f"{told}model.decoder.queries is 25" in caplog.text
    assert f"{told}model.max_detections is 25" in caplog.text
    assert f"{told}the largest of data.target_buckets is 29" in caplog.text
    caplog.clear()
    build_eval_loader(config, batch_size=1)
    assert f"{told}model.decoder.queries is 25" in caplog.text
    assert "target_buckets" not in caplog.text
    assert "eval.max_detections is 200, but an image has at most 25 detections" in caplog.text
