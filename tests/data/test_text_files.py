"""Reading text files of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.data.text_files import read_text
from focus_detr.errors import FocusDetrError


def test_byte_order_marks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfna\xc3\xafve\n")
    assert read_text(tmp_path / "a.txt") == "na\u00efve\n"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    for name, message in (
        ("a.txt", r"a\.txt is not UTF-8 text"),
        ("b.txt", r"cannot read .*b\.txt: No such file"),
        ("c\0", r"cannot read .*null byte"),
        ("d" * 300, r"cannot read .*d: File name too long"),
    ):
        with pytest.raises(FocusDetrError, match=message):
            read_text(tmp_path / name)
