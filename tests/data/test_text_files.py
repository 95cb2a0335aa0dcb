"""Reading text files of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.data.text_files import read_text, read_xml
from focus_detr.errors import FocusDetrError


def test_byte_order_marks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfna\xc3\xafve\n")
    assert read_text(tmp_path / "a.txt") == "na\u00efve\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "utf-8"])
def test_byte_order_marks_tell_the_encoding(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"  # Python writes those of the two
    (tmp_path / "a.txt").write_bytes(f"{mark}na\u00efve\n".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "na\u00efve\n"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("GBK", "gbk"),
        ("gb2312", "gbk"),  # as many files declare
        ("Shift_JIS", "shift_jis"),
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
    name = {"gbk": "\u8f66", "shift_jis": "\u8eca"}.get(encoding, "na\u00efve")
    start = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    (tmp_path / "a.xml").write_bytes(f"{start}<a><b>{name}</b></a>".encode(encoding))
    assert read_xml(tmp_path / "a.xml").findtext("b") == name


def test_xml_of_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    for content, message in (
        (
            "<a>\u8f66</a>".encode("gbk"),
            r"a\.xml is not valid XML: it is not utf-8 text \(byte 3\)",
        ),
        (b'<?xml version="1.0" encoding="none"?><a/>', "not valid XML: unknown encoding 'none'"),
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
