"""Text files that grow line by line."""

from __future__ import annotations

import os
from pathlib import Path

from focus_detr.files import writing


class LineFile:
    """Lines appended to a file; each is there as soon as it is written."""

    def __init__(self, path: Path) -> None:
        """Open the file, and take away what a kill or a full disk left of a last line.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._path = path
        with writing(path):
            if path.is_file():
                os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
            self._file = path.open("a", encoding="utf-8")

    def write(self, line: str) -> None:
        """Append a line."""
        with writing(self._path):
            self._file.write(f"{line}\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with writing(self._path):
            self._file.close()
