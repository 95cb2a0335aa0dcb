"""Kinds of picture files that people have and that are not read."""

from __future__ import annotations

ADVICE = "convert it to JPEG or PNG"
UNREAD_SUFFIXES = frozenset({".heic", ".heif", ".hif", ".avif", ".jxl", ".gif", ".jp2", ".dng"})

_BOX = slice(4, 8)  # of the first box's letters in files like MP4, and the kind behind them
_BRAND = slice(8, 12)
_BRANDS = {
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"
    ),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_STARTS = {
    b"GIF8": "GIF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
}


def unread_kind(data: bytes) -> str | None:
    """What a file holds that begins like this; None if it is no kind that is known and not read."""
    if data[_BOX] == b"ftyp":
        return _BRANDS.get(data[_BRAND])
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), None)
