"""A log is shown as it grows."""

from __future__ import annotations

import io
from pathlib import Path

from focus_detr.launch.text_follower import TextFollower, last_lines


def test_only_what_is_new_is_shown(tmp_path: Path) -> None:
    path, screen = tmp_path / "worker_0.log", io.StringIO()
    follower = TextFollower(path, screen)
    follower.forward()
    assert screen.getvalue() == ""
    letter = "ä".encode()
    for piece, shown in ((b"one\ntw", "one\ntw"), (letter[:1], ""), (letter[1:], "ä"), (b"", "")):
        before = screen.getvalue()
        with path.open("ab") as file:
            file.write(piece)
        follower.forward()
        assert screen.getvalue() == before + shown


def test_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert last_lines(path, 3) == []
    path.write_text("one\ntwo\nthree\n\n")
    assert last_lines(path, 2) == ["two", "three"]
