"""Checks of values that come from files."""

from __future__ import annotations

import math


def is_finite_number(value: object) -> bool:
    """Whether it is an integer or float (no bool) that float64 can hold: JSON's may be larger."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_unicode(text: str) -> bool:
    """Whether it can be written to a file: escapes in JSON and YAML may give halves of letters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
