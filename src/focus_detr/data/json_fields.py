"""Fields of entries in label files, JSON above all, in every form that exports give them."""

from __future__ import annotations

import re
from typing import Any

from focus_detr.data.key_styles import KeyStyles
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_finite_number, is_unicode

Entry = dict[str, Any]
ImageId = int | str

FLAGS = ("iscrowd", "ignore", "difficult", "isgroupof")  # of COCO, tools, VOC and Open Images
ROTATION = "rotation"  # CVAT's attribute of boxes: degrees by which they are turned

_FIRST_INEXACT = 2**53  # as float64 it may as well have been the next number
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,999})")  # as Python would write it, so nothing is lost
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


def whole_number(value: object) -> int | None:
    """An integer, a float without a fraction, or the text of an integer; None for anything else.

    Floats from 2^53 on are None as well: the number that was meant can no longer be known.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        exact = value.is_integer() and abs(value) < _FIRST_INEXACT
        return int(value) if exact else None
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value.strip()) else None
    return value if isinstance(value, int) else None


def finite_number(value: object) -> float | None:
    """A finite number or the text of one; None for anything else."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value.strip()) else None
    return float(value) if is_finite_number(value) else None  # type: ignore[arg-type]


def flag(value: object, where: str, key: str) -> bool:
    """Whether a flag is set: 0 or 1, false or true, also as text; nothing is false.

    Args:
        value: what the file says.
        where: names file and entry in the error.
        key: name of the field.

    Raises:
        FocusDetrError: anything else.
    """
    known = known_flag(value)
    if known is None:
        raise FocusDetrError(f"{where}: '{key}' must be 0 or 1, not {value!r}")
    return known


def known_flag(value: object) -> bool | None:
    """The same; None for anything else."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    known = isinstance(value, (bool, int, float)) and value in (0, 1)
    return bool(value) if known or value is None else None


def image_id(value: object) -> ImageId | None:
    """A whole number of any size, or a text that is none; None for anything else."""
    number = whole_number(value)
    if number is None and isinstance(value, str) and value and is_unicode(value):
        return value
    return number


def read_entry(value: object, styles: KeyStyles, where: str) -> Entry:
    """An object of a list, with its keys in the style of their format.

    Raises:
        FocusDetrError: something else, or a flag in two styles that contradict each other.
    """
    if not isinstance(value, dict):
        raise FocusDetrError(f"{where} must be an object, not {value!r}")
    return styles.plain(value, where)


def read_whole(entry: Entry, key: str, where: str) -> int:
    """A whole number, see ``whole_number``.

    Raises:
        FocusDetrError: the field is missing or holds something else.
    """
    number = whole_number(entry.get(key))
    if number is None:
        raise FocusDetrError(f"{where}: '{key}' must be an integer, not {entry.get(key)!r}")
    return number


def read_image_id(entry: Entry, key: str, where: str) -> ImageId:
    """The id of a picture, see ``image_id``.

    Raises:
        FocusDetrError: the field is missing or holds something else.
    """
    found = image_id(entry.get(key))
    if found is None:
        raise FocusDetrError(
            f"{where}: '{key}' must be an integer or a text, not {entry.get(key)!r}"
        )
    return found


def read_text(entry: Entry, key: str, where: str) -> str:
    """A text of Unicode letters.

    Raises:
        FocusDetrError: the field is missing or holds something else.
    """
    value = entry.get(key)
    if not isinstance(value, str):
        raise FocusDetrError(f"{where}: '{key}' must be a text, not {value!r}")
    if not is_unicode(value):
        raise FocusDetrError(f"{where}: '{key}' {value!r} is not Unicode text")
    return value


def read_box(value: object, where: str) -> tuple[float, float, float, float]:
    """A COCO box: x, y, width, height; the last two may be negative.

    Raises:
        FocusDetrError: not four finite numbers.
    """
    numbers = [finite_number(item) for item in value] if isinstance(value, (list, tuple)) else []
    exact = [number for number in numbers if number is not None]
    if not len(exact) == len(numbers) == 4:
        raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, not {value!r}")
    x, y, width, height = exact
    return x, y, width, height
