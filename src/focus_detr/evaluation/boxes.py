"""The one check of boxes that come from files."""

from __future__ import annotations

import math
from typing import Any

from focus_detr.errors import FocusDetrError


def parse_box(value: Any, where: str) -> list[float]:
    """Check a COCO box.

    Args:
        value: what the file holds under ``bbox``: x, y, width, height in pixels.
        where: names the file and entry in the error.

    Raises:
        FocusDetrError: not four finite numbers, or a negative width or height.
    """
    try:
        box = [float(number) for number in value]
    except (TypeError, ValueError):
        box = []
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, got {value!r}")
    if min(box[2:]) < 0:
        raise FocusDetrError(f"{where}: 'bbox' has a negative width or height: {value!r}")
    return box
