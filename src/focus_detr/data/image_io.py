"""Reading image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from focus_detr.errors import FocusDetrError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_PNG_START = b"\x89PNG"
_PNG_END = b"IEND"
_TOO_LARGE = "CV_IO_MAX_IMAGE"  # in OpenCV's message about its limits


def read_image(path: str | Path, expected_size: tuple[int, int] | None = None) -> np.ndarray:
    """Read and decode an image file, see ``decode_image``.

    Raises:
        FocusDetrError: the file is missing, empty, cut off or no image, or has another size.
    """
    path = Path(path)
    return decode_image(read_bytes(path), path, expected_size)


def read_bytes(path: Path) -> bytes:
    """The content of an image file, not decoded.

    Raises:
        FocusDetrError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, "strerror", None) or error
        raise FocusDetrError(f"cannot read image {path}: {reason}") from error


def decode_image(
    data: bytes, name: str | Path, expected_size: tuple[int, int] | None = None
) -> np.ndarray:
    """Decode an image file as 8-bit RGB.

    Grey and palette files get three channels, CMYK is converted, alpha is left out, and of 16 bits
    the upper eight are kept.

    The EXIF orientation is applied, unless the annotations were plainly made without it, that is
    only the stored pixels have the expected size.

    Args:
        data: content of the file, in any format OpenCV decodes.
        name: what messages call the file.
        expected_size: (height, width) that the annotations give; None accepts any.

    Returns:
        [H, W, 3] uint8.

    Raises:
        FocusDetrError: the file is empty, cut off or no image, or has another size.
    """
    _check_whole(data, name)
    image = _decode(data, name, cv2.IMREAD_COLOR)
    if expected_size is None or image.shape[:2] == expected_size:
        return image
    stored = _decode(data, name, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored.shape[:2] == expected_size:
        return stored
    height, width = image.shape[:2]
    raise FocusDetrError(
        f"image {name} is {width}x{height}, but its annotation says "
        f"{expected_size[1]}x{expected_size[0]}"
    )


def _check_whole(data: bytes, name: str | Path) -> None:
    if not data:
        raise FocusDetrError(f"image {name} is empty")
    if _is_cut_off(data):
        raise FocusDetrError(f"image {name} is cut off: its end marker is missing")


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end, which OpenCV would fill with grey without a word."""
    if data.startswith(_JPEG_START):
        # A thumbnail inside the header has an end marker too, but before the last scan begins.
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)
    return data.startswith(_PNG_START) and _PNG_END not in data


def _decode(data: bytes, name: str | Path, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        reason = "it has more pixels than OpenCV reads" if _TOO_LARGE in error.err else error.err
        raise FocusDetrError(f"cannot decode image {name}: {reason}") from error
    if image is None:
        raise FocusDetrError(f"cannot decode image {name}: it is broken or no image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
