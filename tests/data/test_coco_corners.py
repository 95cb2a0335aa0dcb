"""Corners in a COCO file are found by what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from coco_files import MakeCoco, annotation
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.coco_corners import CornerJudge
from focus_detr.data.formats import read_annotations
from focus_detr.errors import FocusDetrError

BOXES = [(10, 20, 30, 40), (4, 0, 8, 9), (50, 60, 12, 30), (1, 2, 60, 7)]


def outline(x: float, y: float, width: float, height: float) -> list[list[float]]:
    """A diamond that fills the box to its edges."""
    right, bottom = x + width, y + height
    return [[x + width / 2, y, right, y + height / 2, x + width / 2, bottom, x, y + height / 2]]


def corners(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y + height]


def judge(entries: Sequence[dict[str, Any]]) -> None:
    judge = CornerJudge(Path("set.json"))
    for entry in entries:
        judge.look(entry, tuple(map(float, entry["bbox"])))
    judge.finish()


def witnesses(box: tuple[int, int, int, int]) -> list[dict[str, Any]]:
    """Areas with and without the last pixel, and outlines with the area of their own."""
    width, height = box[2:]
    return [
        {"area": width * height},
        {"area": str(width * height)},
        {"area": (width + 1) * (height + 1)},
        {"area": width * height / 2, "segmentation": outline(*box)},
        {"segmentation": outline(*box)},
    ]


@pytest.mark.parametrize("kind", range(5))
def test_corners_are_refused(kind: int) -> None:
    entries = [{"bbox": corners(*box), **witnesses(box)[kind]} for box in BOXES]
    with pytest.raises(FocusDetrError, match=r"set.json: 4 of the first 4 boxes .* as corners"):
        judge(entries)
    judge([{"bbox": box, **witnesses(box)[kind]} for box in BOXES])


def test_a_file_of_small_boxes_in_large_pictures(make_coco: MakeCoco) -> None:
    """None of them reaches over the edge, so that only their areas tell."""
    entries = [
        annotation(number, 1, corners(*box), area=box[2] * box[3])
        for number, box in enumerate(BOXES)
    ]
    with pytest.raises(FocusDetrError, match="only as corners"):
        read_annotations(make_coco([(600, 800)], entries))


def test_what_does_not_tell_is_taken_as_written() -> None:
    judge([{"bbox": corners(*box)} for box in BOXES])
    judge([{"bbox": corners(*box), "segmentation": [[1, 2, 3]]} for box in BOXES])
    judge([{"bbox": [0, 0, 30, 40], "area": 1200}] * 5)
    judge([{"bbox": corners(*box), "area": box[2] * box[3]} for box in BOXES[:2]])


@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4, st.floats(0.05, 1)), min_size=1, max_size=60))
def test_boxes_with_the_areas_of_masks_are_never_refused(
    boxes: list[tuple[int, int, int, int, float]],
) -> None:
    entries = [
        {"bbox": box, "area": box[2] * box[3] * share, "segmentation": outline(*box)}
        for *box, share in boxes
    ]
    judge([{"bbox": entry["bbox"], "segmentation": entry["segmentation"]} for entry in entries])
    judge([*entries, *({"bbox": [5, 6, 30, 40], "area": 1200} for _ in entries)])
