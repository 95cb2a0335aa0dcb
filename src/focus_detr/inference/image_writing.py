"""Writing pictures, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_whole

_OPTIONS = {
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 6),
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 94),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 94),
}


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an RGB picture as PNG or JPEG, creating the folder.

    Args:
        path: ends in .png, .jpg or .jpeg.
        image: [H, W, 3] uint8 RGB.

    Raises:
        FocusDetrError: another ending, or the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _OPTIONS:
        raise FocusDetrError(f"cannot write {path}: pictures are written as .png or .jpg")
    write_whole(path, encode_image(image, suffix))


def encode_image(image: np.ndarray, suffix: str) -> bytes:
    """The content of a PNG or JPEG file.

    Args:
        image: [H, W, 3] uint8 RGB.
        suffix: .png, .jpg or .jpeg.
    """
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, colours, _OPTIONS[suffix])[1].tobytes()
