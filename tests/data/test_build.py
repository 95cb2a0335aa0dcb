"""Loaders from the settings."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from annotation_files import write_yolo
from coco_files import MakeCoco, annotation

from focus_detr.config.schema import Config, DataConfig
from focus_detr.data.build import build_eval_loader, build_train_loader
from focus_detr.data.classes import ClassMap
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.ground_truth import read_ground_truth


@pytest.fixture
def config(make_coco: MakeCoco) -> Config:
    """Five tiny images for training and validation, one with a box."""
    return _config(make_coco, 2)


def _config(make_coco: MakeCoco, *with_box: int) -> Config:
    """Five tiny images; those with these ids have a box."""
    path = make_coco([(30, 40)] * 5, [annotation(i, i, (0, 0, 9, 9)) for i in with_box])
    files = (str(path), str(path.parent))
    data = DataConfig(
        *files, *files, train_short_sides=(32,), train_max_side=64, test_short_side=48
    )
    return Config(data=replace(data, test_max_side=64, crop=0.0, workers=0))


def test_training_loader_follows_the_settings(config: Config) -> None:
    loader = build_train_loader(config, seed=0)
    assert loader.dataset.classes == ClassMap(("cat", "dog"), (3, 7))
    batches = list(loader.epoch(0))
    assert len(batches) == len(loader) == 2
    assert batches[0].images.shape == (2, 3, 32, 64)
    np.testing.assert_array_equal(batches[0].image_sizes, [[32, 43]] * 2)
    assert batches[0].boxes.shape == (2, 100, 4)


def test_ranks_share_the_images(config: Config) -> None:
    ids = [
        image_id
        for rank in (0, 1)
        for batch in build_train_loader(config, seed=0, rank=rank, world_size=2).epoch(0)
        for image_id in batch.image_ids
    ]
    assert len(ids) == len(set(ids)) == 4


def test_evaluation_loader_follows_the_settings(config: Config) -> None:
    batches = list(build_eval_loader(config, batch_size=2).epoch(0))
    assert [batch.image_ids for batch in batches] == [(1, 2), (3, 4), (5, None)]
    np.testing.assert_array_equal(batches[0].image_sizes, [[48, 64]] * 2)
    exact = next(build_eval_loader(config, batch_size=1, round_to=4).epoch(0))
    assert exact.images.shape == (1, 3, 48, 64)


def test_own_shape_buckets(config: Config) -> None:
    config = replace(config, data=replace(config.data, shape_buckets=((96, 128),)))
    assert next(build_train_loader(config, seed=0).epoch(0)).images.shape == (2, 3, 96, 128)


def test_evaluation_uses_the_class_map_of_the_model(config: Config) -> None:
    classes = ClassMap(("cow", "cat"), (1, 3))
    loader = build_eval_loader(config, batch_size=1, classes=classes)
    labels = {batch.image_ids[0]: batch.labels[0, 0] for batch in loader.epoch(0)}
    assert labels[2] == 1


def test_filtering_leaves_too_few_images(config: Config) -> None:
    config = replace(config, data=replace(config.data, filter_empty=True))
    with pytest.raises(FocusDetrError, match="has 1 usable image, too few for one batch of 2"):
        build_train_loader(config, seed=0)


def test_validation_may_be_a_part_of_the_training_set(make_coco: MakeCoco) -> None:
    config = _config(make_coco, 1, 2, 3, 4, 5)
    data = replace(config.data, val_annotations=None, val_images=None)
    (listed := Path(str(data.train_images)) / "val.txt").write_text("2\n4.png\n")
    for way in ({"val_list": str(listed)}, {"val_fraction": 0.5, "val_seed": 3}):
        chosen = replace(config, data=replace(data, **way))
        train = {r.image_id for r in build_train_loader(chosen, seed=0).dataset.records}
        loader = build_eval_loader(chosen, batch_size=1)
        val = {r.image_id for r in loader.dataset.records}
        assert train | val == {1, 2, 3, 4, 5}
        assert not train & val
        if "val_list" in way:
            assert val == {2, 4}
        assert {i["id"] for i in read_ground_truth(loader.dataset.annotations)["images"]} == val


def test_missing_pictures_are_left_out_or_refused(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    config = _config(make_coco, 2, 3)
    (Path(str(config.data.train_images)) / "2.png").unlink()
    with caplog.at_level(logging.WARNING):
        loader = build_train_loader(config, seed=0)
    assert [r.image_id for r in loader.dataset.records] == [1, 3, 4, 5]
    assert "left out 1 of 5 images; the first: image 2: no file" in caplog.text
    truth = read_ground_truth(build_eval_loader(config, batch_size=1).dataset.annotations)
    assert len(truth["images"]) == 4
    assert [entry["image_id"] for entry in truth["annotations"]] == [3]
    strict = replace(config, data=replace(config.data, broken="error"))
    for build in (build_train_loader, build_eval_loader):
        more = {"seed": 0} if build is build_train_loader else {"batch_size": 1}
        with pytest.raises(FocusDetrError, match=r"image 2: no file .*2\.png"):
            build(strict, **more)


def test_a_set_that_mostly_lacks_its_pictures_is_refused(config: Config) -> None:
    for number in (1, 2, 3):
        (Path(str(config.data.train_images)) / f"{number}.png").unlink()
    with pytest.raises(FocusDetrError, match=r"image 1: no file .* \(3 of 5 images cannot be"):
        build_train_loader(config, seed=0)


def _training_lack(config: Config) -> str:
    """Why training could learn nothing; the pictures can be loaded all the same."""
    loader = build_train_loader(config, seed=0)
    assert not next(loader.epoch(0)).box_valid.any()
    return loader.dataset.lack_of_boxes()


def test_a_training_set_without_a_box_says_so(make_coco: MakeCoco) -> None:
    config = _config(make_coco)
    sentence = r"instances\.json has 5 images and no usable box$"
    assert re.search(sentence, _training_lack(config))
    config = replace(config, data=replace(config.data, filter_empty=True))
    with pytest.raises(FocusDetrError, match=sentence):
        build_train_loader(config, seed=0)


def test_a_training_set_with_unusable_boxes_alone_says_why(make_coco: MakeCoco) -> None:
    config = _config(make_coco)
    boxes = [annotation(1, 1, (1, 1, 4, 0)), annotation(2, 2, (1, 1, 4, 4), iscrowd=1)]
    make_coco([(30, 40)] * 5, boxes)
    assert _training_lack(config).endswith("no usable box; left out: 1 crowd, 1 empty")


def test_what_validation_leaves_may_lack_a_box(config: Config) -> None:
    (listed := Path(str(config.data.train_images)) / "val.txt").write_text("2\n")
    data = replace(config.data, val_annotations=None, val_images=None, val_list=str(listed))
    assert "has 4 images and no usable box" in _training_lack(replace(config, data=data))


def test_a_yolo_set_without_label_files_says_where_they_should_be(tmp_path: Path) -> None:
    path = write_yolo(tmp_path / "set", {"a": (20, 30), "b": (20, 30)}, {"a": "", "b": ""})
    config = Config(data=DataConfig(train_annotations=str(path), workers=0))
    read = r"data\.yaml has 2 images and no usable box; "
    assert re.search(rf"{read}2 label files read, such as .*a\.txt$", _training_lack(config))
    (tmp_path / "set" / "labels").rename(tmp_path / "set" / "label")
    missing = r"no label file found; the first would be .*set/labels/train/a\.txt$"
    assert re.search(read + missing, _training_lack(config))


def test_evaluation_without_a_box_is_warned_of(
    make_coco: MakeCoco, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        build_eval_loader(config, batch_size=1)
        assert not caplog.records
        assert len(build_eval_loader(_config(make_coco), batch_size=1)) == 5
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("AP cannot be measured: ")
    assert said.endswith("instances.json has 5 images and no usable box")


def test_bad_settings_are_named(config: Config) -> None:
    empty = replace(config, data=DataConfig())
    with pytest.raises(FocusDetrError, match=r"data\.train_annotations is not set"):
        build_train_loader(empty, seed=0)
    with pytest.raises(FocusDetrError, match=r"data\.val_annotations is not set"):
        build_eval_loader(empty, batch_size=1)
    with pytest.raises(FocusDetrError, match=r"train\.seed must not be negative"):
        build_train_loader(config, seed=-1)
    few = replace(config, model=replace(config.model, num_classes=1))
    with pytest.raises(FocusDetrError, match=r"model\.num_classes is 1, but the data has 2"):
        build_train_loader(few, seed=0)
