"""Whether the boxes of a COCO file are corners, as the areas and outlines beside them tell."""

from __future__ import annotations

from pathlib import Path

from focus_detr.data.coco_boxes import outline_box
from focus_detr.data.json_fields import Entry, finite_number
from focus_detr.data.turned_boxes import Box
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_LOOKED_AT = 200  # annotations, the first ones: outlines of a large set would take long
_LEAST = 3  # boxes that fit as corners only; fewer are chance
_MOST = 0.9  # of the boxes that fit one way only
_NEAR = 0.01  # of the larger of two areas or of a box's side
_PIXEL = 1.0  # by which tools disagree


class CornerJudge:
    """Looks at annotations one by one, and judges what only several of them show.

    Args:
        path: of the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = 0
        self._as_written = 0
        self._as_corners: list[str] = []

    def look(self, entry: Entry, box: Box) -> None:
        """Count which reading an annotation's ``area`` or ``segmentation`` fits alone."""
        if self._looked == _LOOKED_AT:
            return
        self._looked += 1
        answer = _is_corners(entry, box)
        if answer:
            self._as_corners.append("[{:g}, {:g}, {:g}, {:g}]".format(*box))
        elif answer is not None:
            self._as_written += 1

    def finish(self) -> None:
        """Judge.

        Raises:
            FocusDetrError: the boxes are corners.
        """
        found = len(self._as_corners)
        telling = found >= _MOST * (found + self._as_written) and 2 * found >= self._looked
        if found >= _LEAST and telling:
            raise FocusDetrError(
                f"{self._path}: {found} of the first {counted(self._looked, 'box')} fit their "
                f"'area' or 'segmentation' only as corners (x1, y1, x2, y2), such as "
                f"{self._as_corners[0]}; expected x, y, width, height in pixels"
            )


def _is_corners(entry: Entry, box: Box) -> bool | None:
    """Whether the four numbers are corners; None if area and outline do not tell."""
    x, y, right, bottom = box
    if right <= x or bottom <= y:
        return False
    if x == y == 0:
        return None  # both are the same
    answer = _area_tells(entry, box)
    return _outline_tells(entry, box) if answer is None else answer


def _area_tells(entry: Entry, box: Box) -> bool | None:
    x, y, right, bottom = box
    area = finite_number(entry.get("area"))
    if area is None or _near(area, right * bottom):
        return None if area is None else False
    width, height = right - x, bottom - y
    return _near(area, width * height) or _near(area, (width + 1) * (height + 1)) or None


def _outline_tells(entry: Entry, box: Box) -> bool | None:
    try:
        around = outline_box(entry.get("segmentation"), "")
    except FocusDetrError:
        return None  # nothing else needs it
    if around is None or _alike(around, box):
        return None if around is None else False
    x, y, width, height = around
    return _alike((x, y, x + width, y + height), box) or None


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _NEAR * max(one, other)


def _alike(one: Box, other: Box) -> bool:
    return all(abs(a - b) <= _PIXEL + _NEAR * abs(b) for a, b in zip(one, other, strict=True))
