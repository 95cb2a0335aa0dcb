"""Reading image files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from focus_detr.data.orientation import (
    UPRIGHT,
    any_size,
    exchanges_sides,
    orientation_of,
    turn,
    turn_back,
)
from focus_detr.data.picture_kinds import unread_reason
from focus_detr.data.whole_pictures import is_cut_off
from focus_detr.errors import FocusDetrError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff"}
)

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # WebP is never turned by OpenCV
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

    The orientation in the header is applied, as ``read_size`` does, unless the annotations were
    plainly made without it, that is only the stored pixels have the expected size.

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
    decoded, orientation = _decode(data, name), _orientation(data)
    turned = data.startswith(_TIFF_STARTS)  # by OpenCV, whatever it is asked for
    image = decoded if turned else turn(decoded, orientation)
    if expected_size is None or image.shape[:2] == expected_size:
        return image
    if image.shape[1::-1] == expected_size and exchanges_sides(orientation):
        return turn_back(decoded, orientation) if turned else decoded
    height, width = image.shape[:2]
    raise FocusDetrError(
        f"image {name} is {width}x{height}, but its annotation says "
        f"{expected_size[1]}x{expected_size[0]}"
    )


def _check_whole(data: bytes, name: str | Path) -> None:
    if not data:
        raise FocusDetrError(f"image {name} is empty")
    if is_cut_off(data):
        raise FocusDetrError(f"image {name} is cut off: its end is missing")


def _decode(data: bytes, name: str | Path) -> np.ndarray:
    """The stored pixels, or those of a TIFF as they should be seen."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        reason = "it has more pixels than OpenCV reads" if _TOO_LARGE in error.err else error.err
        raise FocusDetrError(f"cannot decode image {name}: {reason}") from error
    if image is None:
        raise FocusDetrError(f"cannot decode image {name}: {unread_reason(data)}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _orientation(data: bytes) -> int:
    try:
        with any_size(), Image.open(BytesIO(data)) as header:
            return orientation_of(header, BytesIO(data))
    except Exception:  # whatever a header that OpenCV understands leads Pillow to
        return UPRIGHT
