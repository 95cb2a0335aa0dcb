"""From uploaded bytes to a picture, without trusting them."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image

from focus_detr.data.image_io import decode_image
from focus_detr.demo.limits import MEGA
from focus_detr.demo.refusals import RefusalError
from focus_detr.errors import FocusDetrError

# no TIFF: a file can name two sizes, of which Pillow believes another one than the decoder
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")


def check_picture(data: bytes, most_pixels: int) -> None:
    """Look at the header alone, so that a small file cannot unfold into gigabytes.

    Raises:
        RefusalError: no picture of a known format, or it has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limit and OpenCV have the last word
            with Image.open(BytesIO(data), formats=FORMATS) as picture:
                width, height = picture.size
    except Image.DecompressionBombError as error:
        raise _too_many_pixels("", most_pixels) from error
    except (OSError, ValueError, OverflowError, SyntaxError) as error:
        raise RefusalError(
            415, f"the file is no picture that is known here ({', '.join(FORMATS)})"
        ) from error
    if width * height > most_pixels:
        raise _too_many_pixels(f" ({width}x{height})", most_pixels)


def decode_picture(data: bytes) -> np.ndarray:
    """Decode as ``predict.py`` reads files.

    Returns:
        [H, W, 3] uint8 RGB, turned as EXIF says.

    Raises:
        RefusalError: the picture is cut off or broken.
    """
    try:
        return decode_image(data, "in the request")
    except FocusDetrError as error:
        raise RefusalError(422, str(error)) from error


def _too_many_pixels(size: str, most: int) -> RefusalError:
    return RefusalError(
        413, f"the picture has too many pixels{size}: at most {most / MEGA:g} million are taken"
    )
