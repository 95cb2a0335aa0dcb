"""Boxes around outlines and turned rectangles: x, y, width, height in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]


def box_around(points: Sequence[tuple[float, float]]) -> Box:
    """The box around points (x, y)."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def box_around_turned(box: Box, angle: float) -> Box:
    """The box around one that is turned about its centre; in which direction makes no difference.

    Args:
        box: before it is turned.
        angle: in radians.
    """
    x, y, width, height = box
    cos, sin = math.cos(angle), math.sin(angle)
    middle_x, middle_y = x + width / 2, y + height / 2
    halves = [(side * width / 2, other * height / 2) for side in (-1, 1) for other in (-1, 1)]
    return box_around(
        [(middle_x + cos * u - sin * v, middle_y + sin * u + cos * v) for u, v in halves]
    )
