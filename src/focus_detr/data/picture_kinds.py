"""Kinds of files that people have among their pictures and that are not read as such."""

from __future__ import annotations

import re

ADVICE = "convert it to JPEG or PNG"
UNREAD_SUFFIXES = frozenset(
    {
        *(".heic", ".heif", ".hif", ".avif", ".jxl", ".gif", ".jp2", ".j2k", ".mpo", ".psd"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".exr", ".hdr"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef"),  # of cameras
    }
)
FILM_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ogv"),
        *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    }
)

_HEAD = 300  # bytes
_LINK = re.compile(rb"[\x21-\x7e]*/[\x21-\x7e]+")
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


def unread_reason(data: bytes) -> str:
    """Why a file that begins like this is no picture that is read, in words."""
    if kind := _kind(data):
        return f"it is {kind}, which is not read; {ADVICE}"
    if _is_film(data):
        return "it is a film, not a picture"
    start = data[:_HEAD].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS; fetch what it stands for: git lfs pull"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, as of a download that failed"
    if len(data) < _HEAD and _LINK.fullmatch(data):
        return f"it holds only the path {data.decode()}, as of a link that was copied as a text"
    return "it is broken or no image"


def _is_film(data: bytes) -> bool:
    """As MP4 or QuickTime, Matroska or WebM, or AVI begin."""
    avi = data.startswith(b"RIFF") and data[_BRAND] == b"AVI "
    return data[_BOX] == b"ftyp" or data.startswith(b"\x1a\x45\xdf\xa3") or avi


def _kind(data: bytes) -> str | None:
    if data[_BOX] == b"ftyp":
        return _BRANDS.get(data[_BRAND])
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), None)
