"""Lines are there as soon as they are written, or there is an error."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.training.line_file import LineFile, refuse_second_writer


@pytest.mark.parametrize("torn", ["hal", ""])
def test_lines_are_appended_and_a_torn_one_is_taken_away(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "lines"
    path.write_text("first\n" + torn)
    file = LineFile(path)
    file.write("second")
    assert path.read_text() == "first\nsecond\n"
    file.close()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.symlink_to("/dev/full")
    file = LineFile(path)
    sentence = r"cannot write .*jsonl: no space left on the disk"
    with pytest.raises(FocusDetrError, match=sentence):
        file.write("line")
    with pytest.raises(FocusDetrError, match=sentence):
        file.close()


WRITER = """
import sys, time
from pathlib import Path
from focus_detr.training.line_file import LineFile
file = LineFile(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


def test_a_file_has_one_writer_until_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("first\nhal")
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        for opening in (LineFile, refuse_second_writer):
            with pytest.raises(FocusDetrError, match=r"another process .* log\.txt"):
                opening(path)
        writer.kill()
    refuse_second_writer(path)
    LineFile(path).close()
    assert path.read_text() == "first\n"


def test_looking_for_a_writer_leaves_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "log.txt", tmp_path / "run" / "log.txt", tmp_path / ("d" * 300)):
        refuse_second_writer(path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_opened_is_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _fail(path: Path, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "log.txt"
    with monkeypatch.context() as patch, pytest.raises(FocusDetrError) as caught:
        patch.setattr("os.truncate", _fail)
        LineFile(path)
    refuse_second_writer(path)
    assert str(caught.value) == f"cannot write {path}: Input/output error"


def test_without_locks_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _none(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", _none)
    path = tmp_path / "log.txt"
    LineFile(path).write("line")
    refuse_second_writer(path)
    assert path.read_text() == "line\n"
