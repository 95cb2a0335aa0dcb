"""Reading a log while another process writes it."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TextIO

from focus_detr.process.screen import ScreenStream


class TextFollower:
    """Copies to a stream what a file gains."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        """Start at the file's beginning; it need not exist yet."""
        self._path = path
        self._stream = ScreenStream(stream)
        self._position = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def forward(self) -> None:
        """Copy what is new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                new = file.read()
        except FileNotFoundError:
            return
        if new:
            self._position += len(new)
            self._stream.write(self._decoder.decode(new))
            self._stream.flush()


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file; none if it does not exist."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.rstrip().splitlines()[-count:]
