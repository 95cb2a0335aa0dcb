"""Reading small text files that people and tools write."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from focus_detr.errors import FocusDetrError

_MARKS = (  # the longer ones first, as UTF-32's begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_DECLARATION = re.compile(r"\s*<\?xml[^>]*?\?>")
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"'>]+)[\"']")
_NOT_ASCII = bytes(range(128, 256))
_THREE_BYTES = "\u0800"  # the first letter that has so many in UTF-8
_WIDER = {  # files say less than they use; by Python's names, as browsers do
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        FocusDetrError: the file is missing or of another encoding.
    """
    data = _read(path)
    try:
        return data.decode(_marked(data) or "utf-8")
    except UnicodeDecodeError as error:
        raise FocusDetrError(
            f"{path} is not UTF-8 text (byte {error.start}); save it in that encoding"
        ) from error


def read_lines(path: Path) -> list[str]:
    """The lines of such a file without their ends: editors know no others than these three.

    Raises:
        FocusDetrError: as ``read_text``.
    """
    lines = _LINE_END.split(read_text(path))
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True)
class Xml:
    """What an XML file holds."""

    top: ElementTree.Element  # tags are without namespaces
    mistaken: str = ""  # the encoding that it declares and does not have


def is_comment(line: str) -> bool:
    """Whether a line of a list is one, unless a file is called so."""
    return line.lstrip().startswith("#")


def read_xml(path: Path) -> Xml:
    """The content of an XML file in the encoding that it declares, whichever Python knows.

    Editors save files as UTF-8 and leave the declaration as it was: bytes that can hardly be
    anything else are read as UTF-8.

    Raises:
        FocusDetrError: the file is missing, not XML or not of that encoding.
    """
    data = _read(path)
    declared = _DECLARED.match(data)
    encoding = _marked(data) or _of_bytes(data, declared[1].decode("latin-1") if declared else "")
    mistaken = ""
    try:
        encoding = _WIDER.get(codecs.lookup(encoding).name, encoding)
        if _is_rather_utf8(data, encoding):
            mistaken, encoding = encoding, "utf-8"
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FocusDetrError(
            f"{path} is not valid XML: it is not {encoding} text (byte {error.start}); "
            "let its first line declare the encoding that it has"
        ) from error
    except (LookupError, ValueError) as error:  # ValueError: a name that none can have
        raise FocusDetrError(f"{path} is not valid XML: unknown encoding {encoding!a}") from error
    try:
        top = ElementTree.fromstring(_DECLARATION.sub("", text, count=1).lstrip())
    except ElementTree.ParseError as error:
        raise FocusDetrError(f"{path} is not valid XML: {error}") from error
    for element in top.iter():
        element.tag = element.tag.rpartition("}")[2]
    return Xml(top, mistaken)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, "strerror", None) or error
        raise FocusDetrError(f"cannot read {path}: {reason}") from error


def _marked(data: bytes) -> str | None:
    """The encoding that a byte order mark tells."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _is_rather_utf8(data: bytes, declared: str) -> bool:
    """Whether bytes are UTF-8 although another encoding is declared.

    By chance, letters of an encoding with one byte for each are hardly ever valid UTF-8. Pairs of
    bytes, as for Chinese, are, but as letters of two bytes each: its own have three.
    """
    if data.isascii() or _marked(data) or codecs.lookup(declared).name.startswith("utf"):
        return False
    try:
        letters = {letter for letter in data.decode() if not letter.isascii()}
    except UnicodeDecodeError:
        return False
    alone = len(_NOT_ASCII.decode(declared, "replace")) == len(_NOT_ASCII)  # one byte, one letter
    return alone or min(letters) >= _THREE_BYTES


def _of_bytes(data: bytes, declared: str) -> str:
    """The encoding of XML without a mark."""
    if data[:4] in (b"<\0?\0", b"<\0a\0"):
        return "utf-16-le"
    if data[:4] in (b"\0<\0?", b"\0<\0a"):
        return "utf-16-be"
    name = declared.strip().lower()
    if name.startswith(("utf-16", "utf16", "ucs-2")):  # its declaration could not be read then
        return "utf-8"
    return name or "utf-8"
