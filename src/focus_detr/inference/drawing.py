"""Detections drawn on a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from focus_detr.inference.lettering import Colour, put_text, text_mask
from focus_detr.inference.palette import class_colour, readable_on
from focus_detr.inference.postprocess import Detections

_READABLE_SIDE = 600  # pixels; smaller pictures are enlarged by a whole factor

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels of the drawing


@dataclass(frozen=True)
class _Style:
    """Sizes in pixels that go with the size of the drawing."""

    line: int
    type_size: int
    margin: int

    @classmethod
    def for_side(cls, side: int) -> _Style:
        """What suits a picture whose longer side has so many pixels."""
        return cls(
            line=max(2, round(side / 400)),
            type_size=max(13, round(side / 60)),
            margin=max(3, round(side / 300)),
        )


def drawing_scale(height: int, width: int) -> int:
    """The factor by which a picture is enlarged so that labels on it can be read."""
    return max(1, -(-_READABLE_SIDE // max(height, width)))


def draw_detections(image: np.ndarray, detections: Detections, names: Sequence[str]) -> np.ndarray:
    """Draw boxes with class name and score; labels keep out of each other's way where they can.

    Args:
        image: [H, W, 3] uint8 RGB; it stays as it is.
        detections: in pixels of ``image``, best first; the best are drawn on top.
        names: class name of each detection.

    Returns:
        [s*H, s*W, 3] uint8 RGB with s = ``drawing_scale``, 1 except for small pictures.
    """
    scores = detections.scores.tolist()
    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
    return draw_boxes(image, detections.boxes, detections.labels.tolist(), texts)


def draw_boxes(
    image: np.ndarray, boxes: np.ndarray, labels: Sequence[int], texts: Sequence[str]
) -> np.ndarray:
    """Draw boxes with a text each, in the colours of their classes; the first ones are on top.

    Args:
        image: [H, W, 3] uint8 RGB; it stays as it is.
        boxes: [n, 4] x1 y1 x2 y2 in pixels of ``image``.
        labels: class index of each box.
        texts: what to write at each box.

    Returns:
        [s*H, s*W, 3] uint8 RGB with s = ``drawing_scale``.
    """
    height, width = image.shape[:2]
    scale = drawing_scale(height, width)
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    style = _Style.for_side(max(canvas.shape[:2]))
    corners = [_rounded(box, scale) for box in boxes]
    colours = [class_colour(label) for label in labels]
    for box, colour in reversed(list(zip(corners, colours, strict=True))):
        _draw_box(canvas, box, colour, style)
    _draw_labels(canvas, corners, texts, colours, style)
    return canvas


def _rounded(box: np.ndarray, scale: int) -> Box:
    x1, y1, x2, y2 = (round(float(value) * scale) for value in box)
    return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)


def _draw_box(canvas: np.ndarray, box: Box, colour: Colour, style: _Style) -> None:
    """A faint fill shows what belongs together, the line has a thin dark rim against clutter."""
    x1, y1, x2, y2 = box
    area = canvas[y1 : y2 + 1, x1 : x2 + 1]
    area[:] = np.rint(0.9 * area + 0.1 * np.array(colour)).astype(np.uint8)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), (0, 0, 0), style.line + 2, cv2.LINE_AA)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, style.line, cv2.LINE_AA)


def _draw_labels(
    canvas: np.ndarray,
    boxes: Sequence[Box],
    texts: Sequence[str],
    colours: Sequence[Colour],
    style: _Style,
) -> None:
    """Place the best detections' labels first, draw them last."""
    height, width = canvas.shape[:2]
    taken: list[Box] = []
    for box, text in zip(boxes, texts, strict=True):
        taken.append(_place_label(box, text, (height, width), taken, style))
    for plate, text, colour in reversed(list(zip(taken, texts, colours, strict=True))):
        cv2.rectangle(canvas, plate[:2], plate[2:], colour, cv2.FILLED)
        corner = plate[0] + style.margin, plate[1] + style.margin // 2
        put_text(canvas, text, corner, style.type_size, readable_on(colour))


def _place_label(
    box: Box, text: str, size: tuple[int, int], taken: Sequence[Box], style: _Style
) -> Box:
    """The first place around the box that is free, else the first of them."""
    text_height, text_width = text_mask(text, style.type_size).shape
    width, height = text_width + 2 * style.margin, text_height + style.margin // 2 * 2
    places = [
        _inside(x, y, width, height, size) for x, y in _label_corners(box, width, height, style)
    ]
    free = (place for place in places if not any(_overlap(place, other) for other in taken))
    return next(free, places[0])


def _label_corners(box: Box, width: int, height: int, style: _Style) -> Iterator[tuple[int, int]]:
    """Above, inside at the top, below, inside at the bottom; at the left, then at the right."""
    x1, y1, x2, y2 = box
    rim = style.line // 2
    for x in (x1 - rim, x2 + rim - width):
        if y1 >= height:
            yield x, y1 - height
        yield x, y1
        yield x, y2
        yield x, y2 - height


def _inside(x: int, y: int, width: int, height: int, size: tuple[int, int]) -> Box:
    """A plate of the given extent, moved into the picture."""
    x = max(0, min(x, size[1] - width))
    y = max(0, min(y, size[0] - height))
    return x, y, x + width - 1, y + height - 1


def _overlap(first: Box, second: Box) -> bool:
    return not (
        first[2] < second[0] or second[2] < first[0] or first[3] < second[1] or second[3] < first[1]
    )
