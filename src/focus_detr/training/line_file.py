"""Text files that grow line by line, each with one writer."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import writing


class LineFile:
    """Lines appended to a file; each is there as soon as it is written.

    Until it is closed, no other one can be opened on the same file, unless the file system has no
    locks. The system closes it for a process that ends, and for a child that was forked from that
    one only when it ends as well.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, and take away what a kill or a full disk left of a last line.

        Raises:
            FocusDetrError: the file has another writer; or it cannot be written, as from every
                other method.
        """
        self._path = path
        with writing(path):
            self._file = path.open("a", encoding="utf-8")
            with ExitStack() as on_error:
                on_error.callback(self._file.close)
                if path.is_file():
                    _lock(self._file, path)
                    os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
                on_error.pop_all()

    def write(self, line: str) -> None:
        """Append a line."""
        with writing(self._path):
            self._file.write(f"{line}\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with writing(self._path):
            self._file.close()


def refuse_second_writer(path: Path) -> None:
    """Look whether a ``LineFile`` could be opened; it leaves no trace.

    Raises:
        FocusDetrError: the file has a writer.
    """
    with suppress(OSError):  # without a file nobody writes it
        if path.is_file():
            with path.open("r+b") as file:
                _lock(file, path)


def _lock(file: IO, path: Path) -> None:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FocusDetrError(
            f"another process or session trains in {path.parent} and writes {path.name}; let it "
            "end first or set another train.output_dir"
        ) from error
    except OSError:
        return  # a file system without locks: go on without
