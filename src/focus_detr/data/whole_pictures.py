"""Whether a picture file is complete, whatever may follow its end."""

from __future__ import annotations

import re

_JPEG_START = b"\xff\xd8"
_JPEG_END = 0xD9
_JPEG_SCAN = 0xDA
_JPEG_LONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # coded pixels have these three
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = b"IDAT"
_PNG_END = b"IEND"


def is_cut_off(data: bytes) -> bool:
    """Whether the pixels of a JPEG or PNG begin and do not end, which decoders may fill with grey.

    Telephones put films, second exposures and maps of brightness behind the end of a JPEG: the end
    is that of the first picture. A thumbnail in the header has an end of its own.
    """
    if data.startswith(_JPEG_START):
        return _is_jpeg_cut_off(data)
    return data.startswith(_PNG_START) and _is_png_cut_off(data)


def _is_jpeg_cut_off(data: bytes) -> bool:
    begun, marker = False, _MARKER.search(data, len(_JPEG_START))
    while marker and marker[1][0] != _JPEG_END:
        kind, place = marker[1][0], marker.end()
        if kind not in _JPEG_LONE:
            place += int.from_bytes(data[place : place + 2], "big")
        begun |= kind == _JPEG_SCAN
        marker = (_AFTER_SCAN if kind == _JPEG_SCAN else _MARKER).search(data, place)
    return begun and marker is None


def _is_png_cut_off(data: bytes) -> bool:
    begun, place, kind = False, len(_PNG_START), b""
    while place < len(data) and kind != _PNG_END:
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        begun |= kind == _PNG_PIXELS
        place += length + 12
    return begun and kind != _PNG_END
