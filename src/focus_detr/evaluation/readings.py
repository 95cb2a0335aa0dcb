"""Finds saved detections in another convention by what they are compared with.

Boxes that stay inside their pictures can be read in any way (``data.conventions``). But only as
they were meant do many of them lie on the objects.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from pycocotools import mask

from focus_detr.data.annotations import Annotations
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.results_io import Detection
from focus_detr.wording import counted

_log = logging.getLogger(__name__)
_LOOKED_AT = 300  # pairs of image and class, the first ones
_CLOSE = 0.75  # intersection over union
_LEAST = 5  # objects that are met; fewer are chance
_TIMES = 10  # as many as with the boxes as they are written

Key = tuple[object, object]  # image and category
Groups = Mapping[Key, np.ndarray]  # boxes [n, 4] of each


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def _swapped_corners(boxes: np.ndarray) -> np.ndarray:
    return _corners(_swapped(boxes))


def _centres(boxes: np.ndarray) -> np.ndarray:
    return np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])


def _ends(boxes: np.ndarray) -> np.ndarray:
    return _corners(boxes[:, [0, 2, 1, 3]])


def _swapped(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, [1, 0, 3, 2]]


_READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "corners (x1, y1, x2, y2)": _corners,
    "corners (y1, x1, y2, x2)": _swapped_corners,
    "ends (x1, x2, y1, y2)": _ends,
    "y, x, height, width": _swapped,
    "centres (x, y of the centre, width, height)": _centres,
}


def check_reading(truth: Annotations, detections: Iterable[Detection], source: str | Path) -> None:
    """Refuse boxes that meet the objects only in another reading; tell of those that meet none.

    Args:
        truth: the objects.
        detections: with ids of the same set and x, y, width, height in ``bbox``.
        source: where they come from, for the message.

    Raises:
        FocusDetrError: they do.
    """
    detections = list(detections)
    objects = _grouped((box.image_id, box.category_id, box.box) for box in truth.boxes)
    found = _grouped((one["image_id"], one["category_id"], one["bbox"]) for one in detections)
    both = islice((key for key in objects if key in found), _LOOKED_AT)
    pairs = [(found[key], objects[key]) for key in both]
    as_written = sum(_met(boxes, there) for boxes, there in pairs)
    for name, read in _READINGS.items():
        met = sum(_met(read(boxes), there) for boxes, there in pairs)
        if met >= max(_LEAST, _TIMES * as_written):
            raise FocusDetrError(
                f"{source}: as {name}, boxes lie on {counted(met, 'object')} of {truth.source}, "
                f"and as x, y, width, height on {as_written}; expected x, y, width, height in "
                "pixels"
            )
    _tell_strangers(truth, source, objects, found)


def _tell_strangers(truth: Annotations, source: str | Path, objects: Groups, found: Groups) -> None:
    """Tell if boxes meet objects of other classes only, or none at all, as no detector's would."""
    shown, boxes = _of_any_class(objects), _of_any_class(found)
    both = {*islice((image for image in shown if image in boxes), _LOOKED_AT)}
    met = sum(_met(boxes[image], shown[image]) for image in both)
    there = sum(len(shown[image]) for image in both)
    own = sum(_met(found[key], objects[key]) for key in objects if key in found and key[0] in both)
    if met >= max(_LEAST, _TIMES * own):
        _log.warning(
            "%s: boxes lie on %s of %s, but on %d of the class that they give: its category ids "
            "may be numbered otherwise",
            *(source, counted(met, "object"), truth.source, own),
        )
    elif not met and there >= _LEAST:
        _log.warning(
            "%s: no box lies on one of the first %s of %s; they may be of other pictures or of "
            "pictures of another size",
            *(source, counted(there, "object"), truth.source),
        )


def _of_any_class(groups: Groups) -> dict[object, np.ndarray]:
    """The boxes of each image."""
    images: dict[object, list[np.ndarray]] = defaultdict(list)
    for (image_id, _), boxes in groups.items():
        images[image_id].append(boxes)
    return {image_id: np.concatenate(boxes) for image_id, boxes in images.items()}


def _grouped(entries: Iterable[tuple[object, object, Iterable[float]]]) -> Groups:
    groups: dict[Key, list[Iterable[float]]] = defaultdict(list)
    for image_id, category, box in entries:
        groups[image_id, category].append(box)
    return {key: np.array(boxes, np.float64) for key, boxes in groups.items()}


def _met(boxes: np.ndarray, objects: np.ndarray) -> int:
    """How many of the objects [g, 4] a box [n, 4] lies on."""
    sound = boxes[(boxes[:, 2:] > 0).all(axis=1)]
    if not len(sound):
        return 0
    overlaps = mask.iou(sound, objects, np.zeros(len(objects), np.uint8))  # [n, g]
    return int((overlaps.max(axis=0) >= _CLOSE).sum())
