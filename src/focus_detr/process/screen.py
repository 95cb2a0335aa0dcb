"""Words for a screen that may go: the job that says them has something to finish."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import Any, TextIO, cast

_REFUSE = ("strict", "surrogateescape")  # the latter in the locales C and POSIX
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


def prepare_screen() -> None:
    r"""Let standard output and error take whatever is written, before anything is.

    A stream that was closed goes nowhere: its number must not pass to a file that is opened next.
    A character that the screen's encoding lacks is written as its escape, such as ``\u732b``.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in _REFUSE:
            stream.reconfigure(errors="backslashreplace")


def settle_screen() -> None:
    """Write what standard output still holds; what cannot be written goes nowhere, unheard.

    Python would otherwise try again at its end, and fail in words of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            write_nowhere(stream)


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


@contextmanager
def screen_may_go() -> Iterator[None]:
    """Within it what is printed and read by nobody goes nowhere."""
    with redirect_stdout(cast("TextIO", ScreenStream(sys.stdout))):
        yield


def tell(*lines: str) -> None:
    """Print to standard error, a new line indented by four below the first.

    If that cannot be, the words are lost: there is no other place for them.
    """
    try:
        print(*lines, sep="\n    ", file=sys.stderr, flush=True)
    except OSError:
        write_nowhere(sys.stderr)
