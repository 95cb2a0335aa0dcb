"""Ground truth from whatever holds it gives the same numbers."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from annotation_files import write_voc

from focus_detr.data.annotations import Annotations
from focus_detr.data.formats import read_annotations
from focus_detr.evaluation.coco_metrics import compare, evaluate_detections
from focus_detr.evaluation.ground_truth import read_ground_truth

SIZES = {"a": (200, 300), "b": (200, 300)}
OBJECTS = {
    "a": [("cat", (11, 21, 60, 80), 0), ("cat", (101, 101, 200, 200), 1)],
    "b": [("dog", (1, 1, 40, 40), 0)],
}
CAT, DOG = 1, 2


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "set", SIZES, OBJECTS)


def found(image_id: int, category: int, box: list[float], score: float) -> dict[str, object]:
    return {"image_id": image_id, "category_id": category, "bbox": box, "score": score}


EXACT = [found(1, CAT, [10, 20, 50, 60], 0.5), found(2, DOG, [0, 0, 40, 40], 0.9)]
ON_DIFFICULT = [found(1, CAT, [100, 100, 100, 100], 0.9)]
ON_NOTHING = [found(1, CAT, [200, 20, 50, 60], 0.9)]


def test_detections_on_difficult_objects_count_neither_way(voc: Path) -> None:
    assert evaluate_detections(voc, EXACT).metrics["AP"] == pytest.approx(1)
    assert evaluate_detections(voc, EXACT + ON_DIFFICULT).metrics["AP"] == pytest.approx(1)
    assert evaluate_detections(voc, EXACT + ON_NOTHING).metrics["AP"] == pytest.approx(0.75)


def test_a_file_and_what_was_read_of_it_are_equal(voc: Path, tmp_path: Path) -> None:
    annotations = read_annotations(voc)
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(annotations.to_coco()))
    shifted = [{**EXACT[0], "bbox": [12, 23, 50, 60]}, EXACT[1], *ON_NOTHING]
    expected = evaluate_detections(path, shifted).metrics
    assert 0.3 < expected["AP"] < 0.75
    assert compare(read_ground_truth(annotations), shifted).metrics == expected
    assert compare(read_ground_truth(voc), shifted).metrics == expected


def test_inverted_boxes_are_left_out_of_read_annotations(
    voc: Path, caplog: pytest.LogCaptureFixture
) -> None:
    annotations: Annotations = read_annotations(voc)
    first = replace(annotations.boxes[0], box=(10.0, 20.0, -5.0, 5.0))
    annotations = replace(annotations, boxes=(first, *annotations.boxes[1:]))
    with caplog.at_level(logging.WARNING):
        truth = read_ground_truth(annotations)
    assert [entry["id"] for entry in truth["annotations"]] == [2, 3]
    assert "left out 1 inverted box" in caplog.text
