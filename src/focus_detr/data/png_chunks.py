"""The parts of a PNG file: a length, four letters, the content and a checksum each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

START = b"\x89PNG\r\n\x1a\n"
PIXELS = b"IDAT"
END = b"IEND"
_FRAME = 12  # bytes of a chunk besides its content


@dataclass(frozen=True)
class Chunk:
    """One part, not read."""

    kind: bytes
    start: int  # of its content, in bytes from the start of the file
    length: int


def png_chunks(file: IO[bytes]) -> Iterator[Chunk]:
    """The chunks up to the end of the picture or of the file; the last one may be cut off."""
    place = len(START)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        chunk = Chunk(head[4:], place + 8, int.from_bytes(head[:4], "big"))
        yield chunk
        if chunk.kind == END:
            return
        place += chunk.length + _FRAME
