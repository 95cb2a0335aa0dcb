"""How stored pixels have to be turned to be seen upright: EXIF's eight orientations."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from PIL import Image

from focus_detr.data.png_chunks import END, png_chunks

UPRIGHT = 1
ORIENTATION = 0x0112  # the tag of EXIF and TIFF
_LATE = 1 << 16  # bytes at the end of a PNG where some programs put what they know of it
_EXIF = b"eXIf"
_limit_lock = threading.Lock()
_INVERSE = {6: 8, 8: 6}  # all others undo themselves

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image[::-1].swapaxes(0, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image[:, ::-1].swapaxes(0, 1),
}


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels ([H, W, 3]) as they should be seen; from 5 on rows become columns."""
    if orientation not in _TURNS:
        return image
    return np.ascontiguousarray(_TURNS[orientation](image))


def turn_back(image: np.ndarray, orientation: int) -> np.ndarray:
    """What ``turn`` made into the stored pixels again."""
    return turn(image, _INVERSE.get(orientation, orientation))


def exchanges_sides(orientation: int) -> bool:
    """Whether rows become columns."""
    return orientation in range(5, 9)


def orientation_of(image: Image.Image, file: IO[bytes]) -> int:
    """The orientation in a picture's header, 1 to 8.

    Only EXIF and TIFF's own tag count, as for browsers: no XMP.

    Args:
        image: opened by Pillow and not decoded.
        file: from which it was opened.
    """
    value: Any = None
    if image.format == "TIFF":
        value = getattr(image, "tag_v2", {}).get(ORIENTATION)
    else:
        value = in_exif(image.info.get("exif") or _late_exif(image, file))
    return int(value) if value in range(1, 9) else UPRIGHT


def in_exif(block: bytes) -> Any:
    """What a block of EXIF says of the orientation; None if it says nothing."""
    exif = Image.Exif()
    try:
        exif.load(block)
        return exif.get(ORIENTATION)
    except Exception:  # whatever a broken block leads Pillow to; decoders take it for none
        return None


def _late_exif(image: Image.Image, file: IO[bytes]) -> bytes:
    """EXIF behind the pixels of a PNG, for which Pillow would decode them."""
    if image.format != "PNG":
        return b""
    place, end = file.tell(), file.seek(0, 2)
    try:
        file.seek(max(0, end - _LATE))
        tail = file.read()
        if tail.count(END) == 1 and tail.rfind(END) == len(tail) - 8 and _EXIF not in tail:
            return b""  # as nearly always; from a network disk all chunks would take long
        for chunk in png_chunks(file):
            if chunk.kind == _EXIF:
                file.seek(chunk.start)
                return file.read(chunk.length)
        return b""
    finally:
        file.seek(place)


@contextmanager
def any_size() -> Iterator[None]:
    """Without Pillow's limit, which guards against decoding: only headers are read."""
    with _limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of blocks that Pillow only half understands
                yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
