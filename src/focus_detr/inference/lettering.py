"""Smooth text on pictures, which OpenCV's stroke fonts cannot give."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]  # RGB, 0..255

# The typeface inside Pillow has Latin letters only; for other names the first of these is used that
# the system has and that has their letters.
_WIDE_TYPEFACES = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)
_NO_LETTER = "\uffff"  # typefaces draw it as they draw what they do not have

_log = logging.getLogger(__name__)
_warned: list[str] = []  # the text that was warned of; one is enough

Typeface = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=32)
def _typefaces(size: int) -> tuple[Typeface, ...]:
    """Those that the system has, and then the one inside Pillow."""
    found: list[Typeface] = []
    for name in _WIDE_TYPEFACES:
        with suppress(OSError):
            found.append(ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC))
    return *found, ImageFont.load_default(size)


def _typeface(text: str, size: int) -> Typeface:
    """The first one with all letters; else the first, with a warning for the first such text."""
    faces = _typefaces(size)
    if text.isascii():
        return faces[-1]
    able = next((face for face in faces if all(_has(face, letter) for letter in text)), None)
    if able is None:
        _warn_once(text)
    return able or faces[0]


def _has(face: Typeface, letter: str) -> bool:
    try:
        return letter.isspace() or _shape(face, letter) != _shape(face, _NO_LETTER)
    except UnicodeEncodeError:  # a typeface of Latin letters, where Pillow has no FreeType
        return False


def _shape(face: Typeface, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(letter)
    return mask.size, bytes(mask)


def _warn_once(text: str) -> None:
    if not _warned:
        _warned.append(text)
        _log.warning(
            "no typeface of this machine has all letters of %s: what it lacks is drawn as empty "
            "boxes; install one that has them, such as Noto Sans CJK",
            text,
        )


@lru_cache(maxsize=2048)
def text_mask(text: str, size: int) -> np.ndarray:
    """Coverage of the text by its letters.

    Args:
        text: one line; control characters are shown as "?".
        size: of the type, pixels; the height depends on it alone, so that lines align.

    Returns:
        [h, w] float32, 0..1. Shared between calls: do not change it.
    """
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    face = _typeface(text, size)
    left, _, right, _ = face.getbbox(text) if text else (0, 0, 1, 0)
    height = round(1.3 * size)
    mask = Image.new("L", (max(1, int(np.ceil(right - left))), height))
    ImageDraw.Draw(mask).text((-left, round(0.05 * size)), text, fill=255, font=face)
    return np.asarray(mask, np.float32) / 255


def put_text(image: np.ndarray, text: str, xy: tuple[int, int], size: int, colour: Colour) -> None:
    """Write onto the image in place; what falls outside is cut off.

    Args:
        image: [H, W, 3] uint8.
        text: one line.
        xy: left upper corner in pixels.
        size: of the type, pixels.
        colour: of the letters.
    """
    mask = text_mask(text, size)
    x, y = xy
    top, left = max(0, -y), max(0, -x)
    area = image[max(0, y) : max(0, y + mask.shape[0]), max(0, x) : max(0, x + mask.shape[1])]
    part = mask[top : top + area.shape[0], left : left + area.shape[1], None]
    blended = area * (1 - part) + np.array(colour, np.float32) * part
    area[:] = np.rint(blended).astype(np.uint8)
