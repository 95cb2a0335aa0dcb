"""The one check of boxes that come from files."""

from __future__ import annotations

from typing import Any

from focus_detr.checks import is_finite_number
from focus_detr.errors import FocusDetrError


def parse_box(value: Any, where: str) -> list[float]:
    """Check a COCO box; its width and height may be negative.

    Args:
        value: what the file holds under ``bbox``: x, y, width, height in pixels.
        where: names the file and entry in the error.

    Raises:
        FocusDetrError: not four finite numbers.
    """
    is_box = isinstance(value, (list, tuple)) and len(value) == 4
    if not is_box or not all(map(is_finite_number, value)):
        raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, got {value!r}")
    return [float(number) for number in value]
