"""How the frames of a film have to be turned, by what its container says.

A box of an MP4 or QuickTime file is its length, four letters and the content, which may be boxes
again. A track has a matrix that takes stored points to shown ones, and so has the whole film.
Matroska has a projection instead.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from focus_detr.inference.matroska import START, read_projection

_Matrix = tuple[int, int, int, int]  # signs of a, b, c, d: x' = a x + c y, y' = b x + d y
_Box = tuple[bytes, int, int]  # its letters; where its content begins and ends in the file

_IDENTITY: _Matrix = (1, 0, 0, 1)
_EXIF: dict[_Matrix, int] = {
    _IDENTITY: 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_BEFORE_MATRIX = {b"tkhd": (40, 52), b"mvhd": (36, 48)}  # bytes, in versions 0 and 1
_ROUNDING = 100  # of the largest number: what is smaller was meant as 0
_HANDLER = 8  # bytes before a track's kind


def container_orientation(path: str | Path) -> int | None:
    """EXIF's orientation of the first video track.

    Returns:
        1 to 8; None if the file has no such container, or is shown at another angle.
    """
    try:
        with Path(path).open("rb") as file:
            matroska = file.read(len(START)) == START
            shown = _projected(file) if matroska else _shown_by(file)
            return _EXIF.get(shown or (0, 0, 0, 0))
    except (OSError, struct.error, IndexError):  # cut off or of another kind
        return None


def _projected(file: BinaryIO) -> _Matrix | None:
    found = read_projection(file)
    if found is None:
        return None
    angle, flip = math.radians(found.roll), -1 if found.mirrored else 1
    cos, sin = (round(_ROUNDING * value) for value in (math.cos(angle), math.sin(angle)))
    return _sign(flip * cos, 1), _sign(-flip * sin, 1), _sign(sin, 1), _sign(cos, 1)


def _shown_by(file: BinaryIO) -> _Matrix | None:
    end = file.seek(0, 2)
    film = _first(file, 0, end, b"moov")
    if film is None:
        return None
    of_film = _matrix(file, _first(file, film[1], film[2], b"mvhd"))
    for kind, start, stop in _boxes(file, film[1], film[2]):
        if kind == b"trak" and _is_video(file, start, stop):
            return _product(_matrix(file, _first(file, start, stop, b"tkhd")), of_film)
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:  # a longer number follows
            size, header = struct.unpack(">Q", file.read(8))[0], 16
        stop = end if size == 0 else min(start + size, end)
        if stop < start + header:
            return
        yield kind, start + header, stop
        start = stop


def _first(file: BinaryIO, start: int, end: int, kind: bytes) -> _Box | None:
    return next((box for box in _boxes(file, start, end) if box[0] == kind), None)


def _is_video(file: BinaryIO, start: int, end: int) -> bool:
    media = _first(file, start, end, b"mdia")
    handler = _first(file, media[1], media[2], b"hdlr") if media else None
    if handler is None:
        return False
    file.seek(handler[1] + _HANDLER)
    return file.read(4) == b"vide"


def _matrix(file: BinaryIO, box: _Box | None) -> _Matrix:
    if box is None:
        return _IDENTITY
    file.seek(box[1])
    file.seek(box[1] + _BEFORE_MATRIX[box[0]][min(file.read(1)[0], 1)])
    a, b, _, c, d = struct.unpack(">5i", file.read(20))
    small = max(map(abs, (a, b, c, d))) // _ROUNDING
    return _sign(a, small), _sign(b, small), _sign(c, small), _sign(d, small)


def _sign(value: int, small: int) -> int:
    return (value > small) - (value < -small)


def _product(first: _Matrix, second: _Matrix) -> _Matrix:
    """One matrix after the other."""
    a, b, c, d = first
    e, f, g, h = second
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
