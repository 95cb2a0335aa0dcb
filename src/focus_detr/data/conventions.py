"""Finds boxes that are written in another convention than x, y, width, height in pixels.

A single box can never tell, as any four numbers are some box. So the whole set has to agree on
another reading before it is refused; what only a part of the boxes suggests is a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from focus_detr.data.annotations import Annotations
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_ONE = 1.01  # rounded shares may exceed 1 a little
_LEAST_PICTURE = 2  # pixels of a side; in a smaller picture shares and pixels are alike
_MARGIN = 0.02  # of the picture's side and a pixel: rounding leads so far over the edge
_MANY = 0.25  # of the boxes reach over the edge; of centred objects, three in four do as corners
_SOME = 0.05  # of the boxes, the same for centres and exchanged axes
_LEAST = 3  # boxes over the edge, fewer are slips
_SCALES = {100: "percents", 1000: "thousandths"}  # of the picture's sides
_LEAST_SCALED = 10  # boxes; fewer may lie in a corner
_FULL = 0.9  # of the scale, which some box reaches
_MOST = 0.98  # of the boxes fit as corners; the rest are slips
_ALL = 1.0  # of the boxes fit as centres or with exchanged axes: these tell less


@np.errstate(over="ignore", invalid="ignore")  # of numbers near the largest
def check_convention(annotations: Annotations, clipped: bool = True) -> None:
    """Refuse boxes that are plainly shares of the picture, corners, centres or with exchanged axes.

    Pictures of unknown size are not looked at, except for shares.

    Args:
        annotations: with the boxes, which may be those of detections.
        clipped: whether boxes will be cut at the edges of their pictures, for the warning.

    Raises:
        FocusDetrError: the set as a whole is written in another convention.
    """
    if not annotations.boxes:
        return
    boxes = np.array([entry.box for entry in annotations.boxes], np.float64)  # [n, 4]
    sides = {image.image_id: (image.width, image.height) for image in annotations.images}
    sizes = np.array([sides[entry.image_id] for entry in annotations.boxes], np.float64)  # [n, 2]
    _check_shares(annotations, boxes, sizes)
    _warn_of_scales(annotations, boxes, sizes)
    known = (sizes > 0).all(axis=1) & (boxes[:, 2:] != 0).any(axis=1)
    over = known & _over_the_edge(boxes, sizes)
    odd = over | (known & (boxes[:, :2] >= sizes).any(axis=1))  # the others are told when dropped
    if odd.sum() < _LEAST:
        return
    for share, least, fits, reading in _readings(boxes, sizes):
        if odd.sum() >= share * known.sum() and fits[known].mean() >= least:
            raise FocusDetrError(
                f"{annotations.source}: {int(odd.sum())} of {counted(len(boxes), 'box')} reach "
                f"over the edge of their pictures, such as {_example(boxes, odd)}, but all fit as "
                f"{reading}; expected x, y, width, height in pixels"
            )
    if over.sum() < _LEAST:
        return
    what = "reach far over the edge of their pictures"
    _warn(annotations, boxes, over, f"{what} and are clipped" if clipped else what)


def _check_shares(annotations: Annotations, boxes: np.ndarray, sizes: np.ndarray) -> None:
    """All of a box in the first pixel; VOC's boxes have been moved by one."""
    ends = boxes[:, :2] + boxes[:, 2:]
    tiny = (np.abs(boxes[:, :2]) <= _ONE).all(axis=1) & (np.abs(ends) <= _ONE).all(axis=1)
    tiny |= ((boxes >= 0) & (boxes <= _ONE)).all(axis=1)  # centres; their ends may be beyond
    tiny &= ((sizes > _LEAST_PICTURE) | (sizes == 0)).all(axis=1)
    tiny &= (boxes[:, 2:] != 0).any(axis=1)
    broken = tiny & (boxes != np.round(boxes)).any(axis=1)
    if 2 * tiny.sum() > len(boxes) and broken.any():
        raise FocusDetrError(
            f"{annotations.source}: {int(tiny.sum())} of {counted(len(boxes), 'box')} lie within "
            f"the first pixel of their pictures, such as {_example(boxes, broken)}: they look like "
            "shares of the picture (0 to 1), expected x, y, width, height in pixels"
        )
    doubtful = tiny if 2 * tiny.sum() > len(boxes) else broken
    _warn(annotations, boxes, doubtful, "lie within the first pixel of their pictures")


def _warn_of_scales(annotations: Annotations, boxes: np.ndarray, sizes: np.ndarray) -> None:
    """All boxes in the same corner of larger pictures, and up to its ends."""
    ends = boxes[:, :2] + boxes[:, 2:]
    for scale, name in _SCALES.items():
        fits = (
            (boxes[:, :2] >= -1).all() and (ends <= scale + 1).all() and (sizes > 2 * scale).all()
        )
        if len(boxes) >= _LEAST_SCALED and fits and (ends.max(axis=0) >= _FULL * scale).all():
            what = f"lie within the first {scale} pixels of larger pictures, as {name} would"
            _warn(annotations, boxes, np.ones(len(boxes), bool), what)
            return


def _over_the_edge(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether boxes [n, 4] begin inside their pictures and end far outside."""
    inside = (boxes[:, :2] >= 0) & (boxes[:, :2] < sizes)
    beyond = boxes[:, :2] + boxes[:, 2:] > sizes + _margin(sizes)
    return inside.all(axis=1) & beyond.any(axis=1)


def _readings(
    boxes: np.ndarray, sizes: np.ndarray
) -> Iterator[tuple[float, float, np.ndarray, str]]:
    """Least shares of boxes over the edge and that fit a reading, which [n] do, and its name."""
    limit = sizes + _margin(sizes)
    first, last = boxes[:, :2], boxes[:, 2:]
    yield _MANY, _MOST, _ordered(first, last, limit), "corners (x1, y1, x2, y2)"
    swapped = first[:, ::-1], last[:, ::-1]
    yield _MANY, _MOST, _ordered(*swapped, limit), "corners (y1, x1, y2, x2)"
    yield _MANY, _MOST, _ordered(boxes[:, ::2], boxes[:, 1::2], limit), "ends (x1, x2, y1, y2)"
    low, high = swapped[0], swapped[0] + swapped[1]
    yield _SOME, _ALL, _ordered(low, high, limit), "y, x, height, width"
    low, high = first - last / 2, first + last / 2
    yield _SOME, _ALL, _ordered(low, high, limit), "centres (x, y of the centre, width, height)"


def _ordered(low: np.ndarray, high: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Whether corners are the right way round and inside the picture."""
    return ((low >= -1) & (high > low) & (high <= limit)).all(axis=1)


def _margin(sizes: np.ndarray) -> np.ndarray:
    return sizes * _MARGIN + 1


def _example(boxes: np.ndarray, chosen: np.ndarray) -> str:
    return "[{:g}, {:g}, {:g}, {:g}]".format(*boxes[np.argmax(chosen)])


def _warn(annotations: Annotations, boxes: np.ndarray, chosen: np.ndarray, what: str) -> None:
    if chosen.any():
        _log.warning(
            "%s: %d of %s %s, such as %s",
            *(annotations.source, chosen.sum(), counted(len(boxes), "box"), what),
            _example(boxes, chosen),
        )
