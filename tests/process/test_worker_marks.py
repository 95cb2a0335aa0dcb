"""What a launcher is told by a worker that meets others or succeeded, and by no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.process.runtime import command
from focus_detr.process.worker_marks import (
    MARKS_VARIABLE,
    MEETING,
    SUCCESS,
    has_mark,
    leave_mark,
    marked,
)


@pytest.mark.parametrize(("status", "left"), [(0, True), (None, True), (2, False), (130, False)])
def test_a_command_leaves_a_mark_when_it_succeeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int | None, left: bool
) -> None:
    monkeypatch.setenv(MARKS_VARIABLE, str(tmp_path))
    assert command(lambda argv: status)() == (status or 0)
    assert has_mark(tmp_path, os.getpid(), SUCCESS) == left
    assert not has_mark(tmp_path, os.getppid(), SUCCESS)


@pytest.mark.parametrize("error", [FocusDetrError("no"), KeyboardInterrupt(), ValueError("no")])
def test_a_command_that_fails_leaves_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException
) -> None:
    def fail(argv: object) -> int:
        raise error

    monkeypatch.setenv(MARKS_VARIABLE, str(tmp_path))
    try:
        assert command(fail)() != 0
    except ValueError:
        assert isinstance(error, ValueError)
    assert not list(tmp_path.iterdir())


def test_a_mark_that_lasts_as_long_as_a_block(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(MARKS_VARIABLE, str(tmp_path))
    with pytest.raises(KeyboardInterrupt), marked(MEETING):
        assert has_mark(tmp_path, os.getpid(), MEETING)
        assert not has_mark(tmp_path, os.getpid(), SUCCESS)
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_without_a_launcher_or_its_folder_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(MARKS_VARIABLE, raising=False)
    leave_mark(SUCCESS)
    monkeypatch.setenv(MARKS_VARIABLE, str(tmp_path / "gone"))
    with marked(MEETING):
        leave_mark(SUCCESS)
    assert not list(tmp_path.iterdir())
