"""Words for a screen that may go."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gone_reader import unread_stream
from tqdm import tqdm

from focus_detr.process.screen import ScreenStream, reader_may_go, tell


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


def test_words_that_cannot_be_told_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        tell("one")
        stream.write("two")  # closing would fail if it still went to the full disk


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize(("words", "status"), [("--help", 0), ("eval --results none.json", 2)])
def test_closed_streams_change_no_status(closed: str, words: str, status: int) -> None:
    line = f'exec "$0" -m focus_detr {words} {closed}'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "from focus_detr.process.screen import prepare_screen\nimport os, sys\nprepare_screen()\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    print('lost', flush=True)\n    os.write(1, b'lost')\n    file.write('kept')"
    )
    line = f'exec "$0" -c "$1" {tmp_path}/file <&- >&- 2>&-'
    subprocess.run(["bash", "-c", line, sys.executable, code], check=True)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("encoding", "surroundings"),
    [
        *((name, {"PYTHONIOENCODING": name}) for name in ("ascii", "latin-1", "cp1252", "utf-8")),
        ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("utf-8", {"LC_ALL": "C.UTF-8"}),
    ],
)
def test_every_name_can_be_told_in_any_encoding(
    encoding: str, surroundings: dict[str, str]
) -> None:
    code = (
        "from focus_detr.process.runtime import command\n"
        "command(lambda argv: print('caf\\xe9 \\u732b \\ud800'))()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **surroundings},
        capture_output=True,
        check=True,
    )
    assert done.stdout == "caf\xe9 \u732b \ud800\n".encode(encoding, "backslashreplace")


def test_a_full_disk_behind_the_output_is_a_sentence() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "focus_detr", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "error: no space left on the disk to write a file\n"


def test_a_terminal_that_was_closed_takes_what_it_gets() -> None:
    screen, terminal = os.openpty()
    with open(terminal, "w", encoding="utf-8") as stream:
        assert ScreenStream(stream).isatty()
        os.close(screen)
        with pytest.raises(OSError, match="error"):
            print("one", file=stream, flush=True)
        print("two", file=ScreenStream(stream), flush=True)
