"""Reading text files of others."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

import pytest

from focus_detr.data.text_files import Xml, read_lines, read_text, read_xml
from focus_detr.errors import FocusDetrError


def test_byte_order_marks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfna\xc3\xafve\n")
    assert read_text(tmp_path / "a.txt") == "na\u00efve\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "utf-8"])
def test_byte_order_marks_tell_the_encoding(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"  # Python writes those of the two
    (tmp_path / "a.txt").write_bytes(f"{mark}na\u00efve\n".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "na\u00efve\n"


def test_lines_end_where_editors_see_an_end(tmp_path: Path) -> None:
    content = "a b\r\n\n\u2028c\x0bd\x85\re\u00a0\n"
    (tmp_path / "a.txt").write_bytes(content.encode())
    assert read_lines(tmp_path / "a.txt") == ["a b", "", "\u2028c\x0bd\x85", "e\u00a0"]
    (tmp_path / "a.txt").write_text("")
    assert read_lines(tmp_path / "a.txt") == []


LETTERS = {  # that the encoding has and the narrower one of a similar name has not
    "gbk": "\u9555",
    "shift_jis": "\u8eca",
    "cp932": "\u2460",
    "cp949": "\ub620",
    "big5hkscs": "\u55f0",
    "cp1252": "5 \u20ac",
    "cp1251": "\u043a\u043e\u0442",
}


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("GBK", "gbk"),
        ("gb2312", "gbk"),  # as many files declare
        ("Shift_JIS", "shift_jis"),
        ("Shift_JIS", "cp932"),
        ("sjis", "cp932"),
        ("EUC-KR", "cp949"),
        ("Big5", "big5hkscs"),
        ("us-ascii", "utf-8"),
        ("ISO-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("windows-1251", "cp1251"),
        ("windows-1252", "cp1252"),
        ("ISO-8859-1", "latin-1"),
        ("UTF-8", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-8"),  # as .NET writes it
        ("utf-16", "utf-16-le"),
        (None, "utf-8"),
    ],
)
def test_xml_is_read_in_the_encoding_that_it_declares(
    tmp_path: Path, declared: str | None, encoding: str
) -> None:
    name = LETTERS.get(encoding, "na\u00efve")
    start = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    (tmp_path / "a.xml").write_bytes(f"{start}<a><b>{name}</b></a>".encode(encoding))
    assert read_xml(tmp_path / "a.xml") == Xml(ANY, "")
    assert read_xml(tmp_path / "a.xml").top.findtext("b") == name


@pytest.mark.parametrize(
    ("declared", "known", "name"),
    [
        ("ISO-8859-1", "cp1252", "na\u00efve"),
        ("latin1", "cp1252", "\U0001f697"),
        ("windows-1252", "windows-1252", "\u8f66"),
        ("KOI8-R", "koi8-r", "\u043a\u043e\u0442"),
        ("GBK", "gb18030", "\u8f66\u8f66"),
        ("Shift_JIS", "cp932", "\u732b \u72ac"),
    ],
)
def test_utf8_is_read_whatever_is_declared(
    tmp_path: Path, declared: str, known: str, name: str
) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<a><b>{name}</b></a>'
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    found = read_xml(tmp_path / "a.xml")
    assert (found.top.findtext("b"), found.mistaken) == (name, known)


def test_what_could_be_both_is_read_as_declared(tmp_path: Path) -> None:
    """Two letters of GBK whose bytes are valid UTF-8 too, of two bytes each."""
    name = "\u062f\u0651".encode().decode("gbk")
    (tmp_path / "a.xml").write_bytes(
        f'<?xml version="1.0" encoding="GBK"?><b>{name}</b>'.encode("gbk")
    )
    assert read_xml(tmp_path / "a.xml").top.text == name


def test_namespaces_of_xml_are_left_out(tmp_path: Path) -> None:
    text = '<a xmlns="http://example.org/x" xmlns:p="http://example.org/p"><p:b>1</p:b><b>2</b></a>'
    (tmp_path / "a.xml").write_text(text)
    top = read_xml(tmp_path / "a.xml").top
    assert (top.tag, [item.text for item in top.findall("b")]) == ("a", ["1", "2"])


def test_xml_of_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    for content, message in (
        (
            "<a>\u8f66</a>".encode("gbk"),
            r"a\.xml is not valid XML: it is not utf-8 text \(byte 3\)",
        ),
        (b'<?xml version="1.0" encoding="none"?><a/>', "not valid XML: unknown encoding 'none'"),
        (b'<?xml version="1.0" encoding="a\0b"?><a/>', "not valid XML: unknown encoding"),
        (b"<a>", "is not valid XML"),
    ):
        (tmp_path / "a.xml").write_bytes(content)
        with pytest.raises(FocusDetrError, match=message):
            read_xml(tmp_path / "a.xml")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xff")
    for name, message in (
        ("a.txt", r"a\.txt is not UTF-8 text"),
        ("b.txt", r"cannot read .*b\.txt: No such file"),
        ("c\0", r"cannot read .*null byte"),
        ("d" * 300, r"cannot read .*d: File name too long"),
    ):
        with pytest.raises(FocusDetrError, match=message):
            read_text(tmp_path / name)
