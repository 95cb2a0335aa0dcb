"""Saved detections in another convention, told by the objects they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import evaluate_detections

Box = tuple[float, float, float, float]


@pytest.fixture
def truth() -> Annotations:
    """Twelve objects in the upper left quarters of four pictures."""
    rng = np.random.default_rng(0)
    boxes = np.hstack([rng.uniform(20, 100, (12, 2)), rng.uniform(20, 60, (12, 2))])
    images = tuple(ImageEntry(i, f"{i}.jpg", Path(f"{i}.jpg"), 400, 500) for i in range(4))
    entries = tuple(
        BoxEntry(i % 4, 1, tuple(box), box[2] * box[3]) for i, box in enumerate(boxes.tolist())
    )
    return Annotations(Path("set.json"), images, entries, ClassMap(("cat",), (1,)))


def measured(truth: Annotations, write: Callable[..., Box], noise: float = 0) -> float:
    rng = np.random.default_rng(1)
    found = [
        {
            "image_id": box.image_id,
            "category_id": box.category_id,
            "score": 0.9,
            "bbox": list(write(*np.abs(np.array(box.box) + rng.normal(0, noise, 4)).tolist())),
        }
        for box in truth.boxes
    ]
    return evaluate_detections(truth, found, "found.json").metrics["AP50"]


def as_written(x: float, y: float, width: float, height: float) -> Box:
    return x, y, width, height


def corners(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def swapped(x: float, y: float, width: float, height: float) -> Box:
    return y, x, y + height, x + width


def ends(x: float, y: float, width: float, height: float) -> Box:
    return x, x + width, y, y + height


def exchanged(x: float, y: float, width: float, height: float) -> Box:
    return y, x, height, width


def centres(x: float, y: float, width: float, height: float) -> Box:
    return x + width / 2, y + height / 2, width, height


@pytest.mark.parametrize(
    ("write", "name", "as_they_are"),
    [
        (corners, r"corners \(x1, y1, x2, y2\)", 0),
        (swapped, r"corners \(y1, x1, y2, x2\)", 0),
        (ends, r"ends \(x1, x2, y1, y2\)", 0),
        (exchanged, "y, x, height, width", 1),
        (centres, "centres", 0),
    ],
)
def test_what_meets_the_objects_otherwise_only_is_refused(
    truth: Annotations, write: Callable[..., Box], name: str, as_they_are: int
) -> None:
    what = f"lie on 12 objects of set\\.json, and .* height on {as_they_are};"
    with pytest.raises(FocusDetrError, match=rf"found\.json: as {name}.* {what}"):
        measured(truth, write)


def test_a_poor_detector_is_none_of_them(truth: Annotations) -> None:
    assert measured(truth, as_written) == pytest.approx(1)
    assert measured(truth, as_written, noise=200) < 0.1
    assert measured(truth, lambda *box: (box[0] + 40, *box[1:])) < 0.1


def test_boxes_that_lie_on_no_object_are_told(
    truth: Annotations, caplog: pytest.LogCaptureFixture
) -> None:
    assert measured(truth, as_written) == pytest.approx(1)
    assert "no box lies" not in caplog.text
    assert measured(truth, lambda *box: tuple(side / 2 for side in box)) == 0
    assert "no box lies on one of the first 12 objects of set.json" in caplog.text


def test_other_numbers_of_classes_are_told(
    truth: Annotations, caplog: pytest.LogCaptureFixture
) -> None:
    classes = ClassMap(("cat", "dog"), (1, 2))
    boxes = tuple(replace(box, category_id=2) for box in truth.boxes)
    found = [
        {"image_id": box.image_id, "category_id": 1, "bbox": list(box.box), "score": 0.5}
        for box in truth.boxes
    ]
    read = replace(truth, classes=classes, boxes=boxes)
    assert evaluate_detections(read, found, "found.json").metrics["AP"] == 0
    assert "found.json: boxes lie on 12 objects of set.json, but on 0 of the class" in caplog.text
    half = replace(truth, classes=classes, boxes=(*boxes[:6], *truth.boxes[6:]))
    caplog.clear()
    evaluate_detections(half, found, "found.json")
    assert "numbered otherwise" not in caplog.text


def test_crowds_alone_measure_nothing(truth: Annotations, caplog: pytest.LogCaptureFixture) -> None:
    crowds = replace(truth, boxes=tuple(replace(box, crowd=True) for box in truth.boxes))
    assert measured(crowds, as_written) == -1
    assert "AP cannot be measured: set.json has no box to find" in caplog.text


def test_boxes_from_the_corner_of_the_picture_are_the_same_both_ways(truth: Annotations) -> None:
    boxes = tuple(BoxEntry(b.image_id, 1, (0, 0, *b.box[2:]), b.area) for b in truth.boxes)
    moved = Annotations(truth.source, truth.images, boxes, truth.classes)
    assert measured(moved, corners) == pytest.approx(1)
