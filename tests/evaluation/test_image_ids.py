"""Image ids of any size and kind, from the annotations to the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from focus_detr.config.schema import Config, DataConfig
from focus_detr.data.batch import Batch
from focus_detr.data.build import build_eval_loader
from focus_detr.data.formats import read_annotations
from focus_detr.data.mindrecord_writing import write_mindrecord
from focus_detr.evaluation.coco_metrics import evaluate_detections
from focus_detr.evaluation.evaluator import Evaluator
from focus_detr.training.early_warnings import save_batch

BOX = [10, 20, 30, 20]
KINDS = [
    [2**63 + 7, 5, 2**62 + 1, 2**62 + 3, 2**64 - 1, 77],
    [2**53, 2**53 + 1, 2**53 + 2],
    [10**30, 10**30 + 12345, 10**30 + 2],
    [-1, -(2**63) - 1, 1],
    ["000a1249", "7f", "a/b", "12"],
]


def write_set(folder: Path, ids: Sequence[Any]) -> Path:
    images = [
        {"id": number, "file_name": f"{place}.png", "width": 64, "height": 48}
        for place, number in enumerate(ids)
    ]
    for image in images:
        cv2.imwrite(str(folder / image["file_name"]), np.zeros((48, 64, 3), np.uint8))
    boxes = [{"image_id": number, "category_id": 1, "bbox": BOX} for number in ids]
    path = folder / "set.json"
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    path.write_text(json.dumps(content))
    return path


def found(ids: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"image_id": i, "category_id": 1, "bbox": BOX, "score": 0.9} for i in ids]


@pytest.mark.parametrize("ids", KINDS)
def test_the_figures_are_those_of_small_ids(tmp_path: Path, ids: list[Any]) -> None:
    path = write_set(tmp_path, ids)
    (tmp_path / "small").mkdir()
    small = list(range(1, len(ids) + 1))
    plain = write_set(tmp_path / "small", small)
    assert evaluate_detections(path, found(ids)).metrics["AP"] == pytest.approx(1)
    for count in (1, 2):
        expected = evaluate_detections(plain, found(small[:count])).metrics
        assert 0 < expected["AP"] < 1
        assert evaluate_detections(path, found(ids[:count])).metrics == expected
        assert evaluate_detections(path, found(ids[-count:])).metrics["AP"] == expected["AP"]


def evaluation(path: Path, results: Path) -> list[dict[str, Any]]:
    """What the loader and a detector that finds every box save."""
    data = DataConfig(val_annotations=str(path), workers=0, test_short_side=48, test_max_side=64)
    loader = build_eval_loader(Config(data=data), batch_size=4)
    share = np.float32([10 / 64, 20 / 48, 40 / 64, 40 / 48])

    def detector(images: Any, sizes: Any) -> tuple[np.ndarray, ...]:
        count = len(np.asarray(images))
        return (
            np.full((count, 1), 0.9, np.float32),
            np.zeros((count, 1), np.int32),
            np.tile(share, (count, 1, 1)),
        )

    evaluator = Evaluator(loader.epoch(0), detector, (1,), loader.dataset.annotations)
    result = evaluator.run(progress=False, results_out=results)
    assert result is not None and result.metrics["AP"] == pytest.approx(1)
    saved: list[dict[str, Any]] = json.loads(results.read_text())
    return saved


@pytest.mark.parametrize("ids", KINDS)
@pytest.mark.parametrize("packed", [False, True])
def test_loader_evaluator_and_results_keep_them(
    tmp_path: Path, ids: list[Any], packed: bool
) -> None:
    path = write_set(tmp_path, ids)
    if packed:
        write_mindrecord(read_annotations(path), tmp_path / "packed")
    source = tmp_path / "packed" if packed else path
    saved = evaluation(source, tmp_path / "found.json")
    exact = [12 if number == "12" else number for number in ids]
    assert [entry["image_id"] for entry in saved] == exact
    assert [entry["file_name"] for entry in saved] == [f"{i}.png" for i in range(len(ids))]
    assert evaluate_detections(source, saved).metrics["AP"] == pytest.approx(1)


def test_a_saved_batch_has_them(tmp_path: Path) -> None:
    array = np.zeros((3, 1))
    for ids, stored in (((7, 8, -9), [7, 8, -9]), ((2**70, "a", None), [str(2**70), "a", ""])):
        batch = Batch(array, array, array, array, array, ids, array)
        save_batch(tmp_path / "batch.npz", [batch])
        assert np.load(tmp_path / "batch.npz")["image_ids"].tolist() == stored
