"""Boxes of COCO annotations that have none of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from focus_detr.data.coco_boxes import annotation_box
from focus_detr.errors import FocusDetrError

POLYGONS = [[4, 5, 14, 5, 9, 20], ["2", "8", 3, 9, 4, 8]]
PIXELS = np.zeros((12, 10), np.uint8)
PIXELS[3:7, 2:8] = 1
PACKED = mask.encode(np.asfortranarray(PIXELS))
TEXT = {"size": [12, 10], "counts": PACKED["counts"].decode()}
RUNS = {"size": [12, 10], "counts": [27, 4, 8, 4, 8, 4, 8, 4, 8, 4, 8, 4, 29]}


@pytest.mark.parametrize("given", [{}, {"bbox": None}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}])
@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        (POLYGONS, (2, 5, 12, 15)),
        (POLYGONS[0], (4, 5, 10, 15)),
        (TEXT, (2, 3, 6, 4)),
        (RUNS, (2, 3, 6, 4)),
    ],
)
def test_the_outline_gives_the_box(
    given: dict[str, Any], segmentation: Any, box: tuple[float, ...]
) -> None:
    assert annotation_box({**given, "segmentation": segmentation}, "here") == box


def test_a_written_box_counts() -> None:
    entry = {"bbox": [1, 2, 3, 4], "segmentation": POLYGONS}
    assert annotation_box(entry, "here") == (1, 2, 3, 4)
    assert annotation_box({"bbox": [0, 0, 0, 0]}, "here") == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", [None, 1, "1", "XYWH_ABS", "BoxMode.XYWH_ABS"])
def test_the_usual_mode_may_be_named(mode: Any) -> None:
    assert annotation_box({"bbox": [1, 2, 3, 4], "bbox_mode": mode}, "here") == (1, 2, 3, 4)


@pytest.mark.parametrize("mode", [0, 2, 3, 4, "XYXY_ABS", "BoxMode.XYXY_ABS", True])
def test_another_mode_of_detectron2_is_refused(mode: Any) -> None:
    with pytest.raises(FocusDetrError, match=r"here: 'bbox_mode' is .*must be x, y, width, height"):
        annotation_box({"bbox": [1, 2, 3, 4], "bbox_mode": mode}, "here")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"segmentation": [[1, 2, 3]]}, "here: 'segmentation' must be lists of x, y"),
        ({"segmentation": [[1, "b"]]}, "here: 'segmentation' must be lists of x, y"),
        ({"segmentation": {"size": [12, 10], "counts": [27, -4, 97]}}, "'segmentation' is no mask"),
        ({"segmentation": {"size": [0, 10], "counts": "a"}}, "'segmentation' is no mask"),
        ({"segmentation": {"size": [5, 5], "counts": [99]}}, "'segmentation' is no mask"),
        ({"segmentation": {"size": [5, 5]}}, "'segmentation' is no mask"),
        (
            {"keypoints": [1, 2, 2]},
            "here: 'bbox' .* a box around its key points would be too small",
        ),
        ({"segmentation": []}, "here: 'bbox' .* there is no 'segmentation' to take it from"),
    ],
)
def test_anything_else_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(FocusDetrError, match=message):
        annotation_box(entry, "here")


@pytest.mark.parametrize("encoded", [TEXT, RUNS, {**TEXT, "size": ["12", 10.0]}])
def test_a_mask_of_another_size_gives_no_box(encoded: dict[str, Any]) -> None:
    entry = {"segmentation": encoded}
    assert annotation_box(entry, "here", (12, 10)) == (2, 3, 6, 4)
    for other in ((24, 20), (10, 12)):
        with pytest.raises(FocusDetrError, match=r"here: 'segmentation' is a mask of 10x12 pixels"):
            annotation_box(entry, "here", other)
        assert annotation_box({**entry, "bbox": [1, 2, 3, 4]}, "here", other) == (1, 2, 3, 4)


def test_the_box_around_a_turned_one_counts() -> None:
    """CVAT writes the box before it is turned."""
    turned = {"bbox": [40, 35, 20, 10], "attributes": {"occluded": False, "rotation": 90.0}}
    assert annotation_box(turned, "here") == pytest.approx((45, 30, 10, 20))
    for same in (0.0, None, "left", True):
        upright = {**turned, "attributes": {"rotation": same}}
        assert annotation_box(upright, "here") == (40, 35, 20, 10)
    assert annotation_box({**turned, "attributes": []}, "here") == (40, 35, 20, 10)


def test_the_angle_may_stand_beside_the_box() -> None:
    entry = {"bbox": [10, 20, 50, 60], "rotation": "90", "attributes": {"rotation": 0.0}}
    assert annotation_box(entry, "") == pytest.approx((5, 25, 60, 50))


def test_the_box_of_an_outline_is_turned_already() -> None:
    """CVAT keeps the attribute where it makes an outline or, of an ellipse, a mask."""
    turned = {"bbox": [2, 3, 6, 4], "attributes": {"rotation": 90.0}}
    for outline in ([[2, 3, 8, 3, 8, 7, 2, 7]], RUNS):
        assert annotation_box({**turned, "segmentation": outline}, "here") == (2, 3, 6, 4)
    for nothing in ([], [[]], None):
        assert annotation_box({**turned, "segmentation": nothing}, "here") == pytest.approx(
            (3, 2, 4, 6)
        )
