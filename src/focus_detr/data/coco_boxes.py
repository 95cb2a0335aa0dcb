"""Boxes and areas of COCO annotations."""

from __future__ import annotations

import math
from typing import Any

from pycocotools import mask

from focus_detr.data.json_fields import ROTATION, Entry, finite_number, read_box
from focus_detr.data.turned_boxes import Box, box_around, box_around_turned
from focus_detr.errors import FocusDetrError

Size = tuple[int, int]  # (height, width) in pixels

_ROUNDING = 1.01
_MODES = ("1", "XYWH_ABS")  # of detectron2
_UNKNOWN = (0, 0)
_NO_OUTLINE: tuple[Any, ...] = (None, [], [[]])
_LEAST_SIDE = 4  # pixels of a box in which an object of less than one square pixel is doubtful


def annotation_box(entry: Entry, where: str, picture: Size = _UNKNOWN) -> Box:
    """The box of an annotation, around a turned one; of its outline or mask where it has none.

    Args:
        entry: the annotation.
        where: names it in messages.
        picture: that it belongs to; zeros: not known.

    Raises:
        FocusDetrError: there is neither, they are malformed, ``bbox_mode`` is another one, or the
            box would be that of a mask of another size than the picture.
    """
    value, mode = entry.get("bbox"), entry.get("bbox_mode")
    if mode is not None and str(mode).removeprefix("BoxMode.") not in _MODES:
        raise FocusDetrError(
            f"{where}: 'bbox_mode' is {mode!r}, but boxes must be x, y, width, height in pixels "
            f"({_MODES[1]})"
        )
    given = None if value in (None, []) else read_box(value, where)
    if given is not None and any(given):
        rotation = _rotation(entry)
        return box_around_turned(given, math.radians(rotation)) if rotation else given
    outlined = outline_box(entry.get("segmentation"), where)
    if outlined is not None:
        _check_mask_size(entry["segmentation"], where, picture)
        return outlined
    if given is not None:
        return given  # four zeros: an empty box
    why = "there is no 'segmentation' to take it from"
    if entry.get("keypoints"):
        why = "a box around its key points would be too small"
    raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, not {value!r}, and {why}")


def _rotation(entry: Entry) -> float:
    """The angle in degrees by which CVAT's box is turned; ``bbox`` is that before it.

    Tools that read CVAT's files write its attributes beside the box.

    With an outline or a mask, as of an ellipse, ``bbox`` is around that and no longer turned.
    """
    if entry.get("segmentation") not in _NO_OUTLINE:
        return 0.0
    attributes = entry.get("attributes")
    places = (attributes if isinstance(attributes, dict) else {}, entry)
    return next(filter(None, (finite_number(place.get(ROTATION)) for place in places)), 0.0)


def annotation_area(entry: Entry, box: Box, where: str) -> tuple[float, bool]:
    """The area that counts in square pixels, and whether the written one was doubtful.

    An object cannot be larger than its box, nor without any area. Then the box's area counts. The
    limit leaves room for boxes whose last pixel was not counted.

    Raises:
        FocusDetrError: not a number.
    """
    width, height = max(box[2], 0.0), max(box[3], 0.0)
    written = entry.get("area")
    if written is None:
        return width * height, False
    area = finite_number(written)
    if area is None:
        raise FocusDetrError(f"{where}: 'area' must be a finite number, not {written!r}")
    if not width * height:
        return max(area, 0.0), False
    too_small = area <= 0 or (area < 1 and min(width, height) >= _LEAST_SIDE)
    if too_small or area > (width + 1) * (height + 1) * _ROUNDING:
        return width * height, True
    return area, False


def outline_box(segmentation: Any, where: str) -> Box | None:
    """The box around outlines or a mask; None if there are none.

    Raises:
        FocusDetrError: they are malformed.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _mask_box(segmentation, where)
    polygons = segmentation if isinstance(segmentation, list) else [segmentation]
    if not isinstance(polygons[0], list):
        polygons = [polygons]  # one outline without the list around it
    points: list[tuple[float, float]] = []
    for polygon in polygons:
        numbers = [finite_number(item) for item in polygon] if isinstance(polygon, list) else [None]
        exact = [number for number in numbers if number is not None]
        if len(exact) < len(numbers) or len(exact) % 2:
            raise FocusDetrError(f"{where}: 'segmentation' must be lists of x, y, x, y, ...")
        points += zip(exact[::2], exact[1::2], strict=True)
    return box_around(points) if points else None


def _check_mask_size(segmentation: Any, where: str, picture: Size) -> None:
    if isinstance(segmentation, dict) and picture != _UNKNOWN:
        height, width = map(int, segmentation["size"])
        if (height, width) != picture:
            raise FocusDetrError(
                f"{where}: 'segmentation' is a mask of {width}x{height} pixels, but the picture "
                f"has {picture[1]}x{picture[0]}"
            )


def _mask_box(encoded: Entry, where: str) -> Box:
    """The box around a run-length mask, whose runs are numbers or packed in a text."""
    counts, size = encoded.get("counts"), encoded.get("size")
    try:
        height, width = map(int, size)  # type: ignore[arg-type]
        if min(height, width) < 1:
            raise ValueError("its picture has no pixels")
        runs: Any = {"counts": counts, "size": [height, width]}
        if isinstance(counts, list):
            if min(counts) < 0 or sum(counts) != height * width:
                raise ValueError("its runs do not fill the picture")
            runs = mask.frPyObjects(runs, height, width)
        x, y, box_width, box_height = mask.toBbox(runs).tolist()
    except Exception as error:  # pycocotools raises whatever a broken mask leads it to
        raise FocusDetrError(f"{where}: 'segmentation' is no mask that can be read") from error
    return x, y, box_width, box_height
