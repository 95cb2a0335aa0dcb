"""Words for a screen that may go: the job that says them has something to finish."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

# a pipe without a reader, as Ctrl-C ends `tee` too; a terminal that was closed
_NOBODY_READS = (errno.EPIPE, errno.EIO)


@contextmanager
def reader_may_go(stream: TextIO) -> Iterator[None]:
    """Within it ``stream`` is written and flushed; if nobody reads, all its text goes nowhere."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOBODY_READS:
            raise
        write_nowhere(stream)


def write_nowhere(stream: TextIO) -> None:
    """Let what the stream still holds, and all that comes, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    stream.flush()


class ScreenStream:
    """A stream whose reader may go, for what writes by itself, such as a progress bar."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap ``stream``; all but writing is its own."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; the number of characters, even if nobody reads them."""
        with reader_may_go(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        with reader_may_go(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Whether it is a terminal, its width and its encoding."""
        return getattr(self._stream, name)


def tell(*lines: str) -> None:
    """Print to standard error, a new line indented by four below the first."""
    with reader_may_go(sys.stderr):
        print(*lines, sep="\n    ", file=sys.stderr, flush=True)
