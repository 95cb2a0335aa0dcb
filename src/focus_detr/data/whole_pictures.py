"""Whether a picture file is complete, whatever may follow its end."""

from __future__ import annotations

import re
import struct
from io import BytesIO

from focus_detr.data.png_chunks import END, PIXELS, START, png_chunks

_JPEG_START = b"\xff\xd8"
_JPEG_END = 0xD9
# coded pixels never hold these two, so a file with pixels that stops at them has all of its own;
# one that stops at a thumbnail's has no pixels yet, which is for the decoder to tell
_JPEG_TAIL = bytes((0xFF, _JPEG_END))
_JPEG_SCAN = 0xDA
_JPEG_LONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_TIFF_FORMS = {  # place of the first directory's place; that, its length and an entry as structs
    b"II*\0": (4, "<I", "<H", "<HHII"),
    b"MM\0*": (4, ">I", ">H", ">HHII"),
    b"II+\0": (8, "<Q", "<Q", "<HHQQ"),
    b"MM\0+": (8, ">Q", ">Q", ">HHQQ"),
}
_TIFF_COLOURS = 320  # tag of a palette, of two bytes a number
_BMP_START = b"BM"
_BMP_PLACES = struct.Struct("<10xII")  # bytes before the pixels; of the header behind these
_BMP_SIDES = {12: "<18xHH2xH", 40: "<18xii2xHII"}  # width, height, bits; packed how, into how much
_BMP_PLAIN = (0, 3, 6)  # ways of packing that leave rows as they are
_RIFF = struct.Struct("<4sI4s")
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # coded pixels have these three


def is_cut_off(data: bytes) -> bool:
    """Whether the pixels of a picture begin and do not end, which decoders may fill with grey.

    JPEG and PNG have an end, WebP and BMP say their length. Of a TIFF it is whether the colours of
    its palette end early; decoders find missing pixels themselves.

    Telephones put films, second exposures and maps of brightness behind the end of a JPEG: the end
    is that of the first picture. A thumbnail in the header has an end of its own.
    """
    if data.startswith(_JPEG_START):
        return not data.endswith(_JPEG_TAIL) and _is_jpeg_cut_off(data)
    if data[:4] in _TIFF_FORMS:
        return _is_tiff_cut_off(data)
    if data.startswith(_BMP_START):
        return _is_bmp_cut_off(data)
    if len(data) >= _RIFF.size and (riff := _RIFF.unpack_from(data))[::2] == (b"RIFF", b"WEBP"):
        return bool(8 + riff[1] > len(data))
    return data.startswith(START) and _is_png_cut_off(data)


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
    kinds = [chunk.kind for chunk in png_chunks(BytesIO(data))]
    return PIXELS in kinds and END not in kinds


def _is_bmp_cut_off(data: bytes) -> bool:
    try:
        start, header = _BMP_PLACES.unpack_from(data)
        width, height, bits, *packed = struct.unpack_from(_BMP_SIDES[min(header, 40)], data)
    except (struct.error, KeyError):  # there is no header, as the decoder tells
        return False
    way, length = packed or (0, 0)
    if way in _BMP_PLAIN:
        length = (width * bits + 31) // 32 * 4 * abs(height)  # rows are filled up to four bytes
    return bool(start + length > len(data))


def _is_tiff_cut_off(data: bytes) -> bool:
    at, place_form, length_form, entry_form = _TIFF_FORMS[data[:4]]
    try:
        (place,) = struct.unpack_from(place_form, data, at)
        (entries,) = struct.unpack_from(length_form, data, place)
        place += struct.calcsize(length_form)
        for _ in range(entries):
            tag, _, count, start = struct.unpack_from(entry_form, data, place)
            if tag == _TIFF_COLOURS:
                return bool(start + 2 * count > len(data))
            place += struct.calcsize(entry_form)
    except (struct.error, OverflowError):  # the directory is not there, as the decoder tells
        pass
    return False
