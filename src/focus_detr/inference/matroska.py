"""How a Matroska or WebM film is shown, by the projection of its first video track.

An element of these files is a number that names it, its length, and the content, which may be
elements again (RFC 8794 and 9559).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

START = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _TRACK = 0x18538067, 0x1654AE6B, 0xAE
_KIND, _VIDEO, _PROJECTION = 0x83, 0xE0, 0x7670
_YAW, _PITCH, _ROLL = 0x7673, 0x7674, 0x7675
_FILM = 1  # a track's kind
_FLOATS = {0: "", 4: ">f", 8: ">d"}  # by their length


class Projection(NamedTuple):
    """How a flat picture is shown."""

    roll: float  # degrees to the left
    mirrored: bool  # left and right are exchanged before that


class _Element(NamedTuple):
    number: int
    start: int  # of its content, in bytes from the start of the file
    end: int


def read_projection(file: BinaryIO) -> Projection | None:
    """The projection of the first video track; None if it has none, or is a view into a sphere.

    Raises:
        struct.error, IndexError: the file is cut off or of another kind.
    """
    whole = _Element(0, 0, file.seek(0, 2))
    segment = _inner(file, whole, _SEGMENT)
    tracks = _inner(file, segment, _TRACKS)
    for track in _elements(file, tracks) if tracks else ():
        if track.number == _TRACK and _whole(file, _inner(file, track, _KIND)) == _FILM:
            return _of_video(file, _inner(file, track, _VIDEO))
    return None


def _of_video(file: BinaryIO, video: _Element | None) -> Projection | None:
    there = _inner(file, video, _PROJECTION)
    if there is None:
        return None
    yaw, pitch, roll = (_float(file, _inner(file, there, key)) for key in (_YAW, _PITCH, _ROLL))
    flat = pitch == 0 and yaw in (0, 180, -180)
    return Projection(roll, yaw != 0) if flat else None


def _inner(file: BinaryIO, outer: _Element | None, number: int) -> _Element | None:
    found = _elements(file, outer) if outer else iter(())
    return next((element for element in found if element.number == number), None)


def _elements(file: BinaryIO, outer: _Element) -> Iterator[_Element]:
    place = outer.start
    while place < outer.end:
        file.seek(place)
        number, _ = _variable(file, keep_mark=True)
        length, unknown = _variable(file, keep_mark=False)
        start = file.tell()
        place = outer.end if unknown else min(start + length, outer.end)
        yield _Element(number, start, place)


def _variable(file: BinaryIO, keep_mark: bool) -> tuple[int, bool]:
    """A number of 1 to 8 bytes, whose first set bit tells how many; and whether all bits are."""
    first = file.read(1)[0]
    if not first:
        raise IndexError("no such number")
    more = 8 - first.bit_length()
    value = int.from_bytes(bytes([first]) + file.read(more), "big")
    mark = 1 << 7 * (more + 1)
    return (value, False) if keep_mark else (value - mark, value - mark == mark - 1)


def _content(file: BinaryIO, element: _Element) -> bytes:
    file.seek(element.start)
    return file.read(max(0, min(element.end - element.start, 8)))


def _whole(file: BinaryIO, element: _Element | None) -> int:
    return int.from_bytes(_content(file, element), "big") if element else 0


def _float(file: BinaryIO, element: _Element | None) -> float:
    content = _content(file, element) if element else b""
    form = _FLOATS.get(len(content), "")
    return float(struct.unpack(form, content)[0]) if form else 0.0
