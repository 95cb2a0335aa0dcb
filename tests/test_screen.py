"""Words for a screen that may go."""

from __future__ import annotations

import errno
import os
import sys

import pytest
from gone_reader import unread_stream
from tqdm import tqdm

from focus_detr.screen import ScreenStream, reader_may_go, tell


def test_what_nobody_reads_goes_nowhere_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with unread_stream() as stream:
        with pytest.raises(BrokenPipeError):
            print("one", file=stream, flush=True)
        monkeypatch.setattr(sys, "stderr", stream)
        tell("two")
        print("three", file=stream, flush=True)


def test_what_is_read_arrives(capsys: pytest.CaptureFixture[str]) -> None:
    tell("first", "second")
    assert capsys.readouterr().err == "first\n    second\n"


def test_another_trouble_with_the_screen_is_told() -> None:
    with pytest.raises(OSError, match="No space"), reader_may_go(sys.stderr):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_bar_goes_on_without_its_reader() -> None:
    with unread_stream() as stream:
        bar = tqdm(total=3, file=ScreenStream(stream), mininterval=0)
        bar.update(2)
        assert bar.n == 2
        bar.close()


def test_a_terminal_that_was_closed_takes_what_it_gets() -> None:
    screen, terminal = os.openpty()
    with open(terminal, "w", encoding="utf-8") as stream:
        assert ScreenStream(stream).isatty()
        os.close(screen)
        with pytest.raises(OSError, match="error"):
            print("one", file=stream, flush=True)
        print("two", file=ScreenStream(stream), flush=True)
