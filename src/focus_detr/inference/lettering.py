"""Smooth text on pictures, which OpenCV's stroke fonts cannot give."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]  # RGB, 0..255

# The typeface inside Pillow has Latin letters only; for other names the first of these that the
# system has is used.
_WIDE_TYPEFACES = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msyh.ttc", "DejaVuSans.ttf")


@lru_cache(maxsize=32)
def _typeface(size: int, latin: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in () if latin else _WIDE_TYPEFACES:
        try:
            return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
        except OSError:
            continue
    return ImageFont.load_default(size)


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
    face = _typeface(size, latin=text.isascii())
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
