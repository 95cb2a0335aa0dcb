"""Why MindSpore Lite failed: its exceptions and last lines name no cause, its log does."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from focus_detr.errors import FocusDetrError
from focus_detr.io.temporary_files import placing
from focus_detr.wording import first_line

FAILURES = (RuntimeError, ValueError, TypeError)  # what its Python interface raises

_STDERR = 2
_ONE_AT_A_TIME = threading.Lock()  # there is one standard error for all threads
# [ERROR] LITE(1,7f,python):2026-01-31-10:00:00.000.000 [file.cc:12] Function] what happened
_LOGGED = re.compile(r"\[ERROR\] .*?\[[^\]]+:\d+\] (?:\S+\] )?(?P<words>.+)")
_THROWN = re.compile(r"\s*what\(\):\s*(?P<words>.+)")  # an exception that ended the process
_EMPTY = "null exception handler"  # of a line that goes before any exception


def cause(log: str) -> str:
    """The first error of a log, or its last line; "" for an empty one."""
    lines = log.strip().splitlines()
    for line in lines:
        found = _LOGGED.match(line) or _THROWN.match(line)
        if found and _EMPTY not in line:
            return found["words"].strip()
    return lines[-1].strip() if lines else ""


@contextmanager
def failures_explained(what: str) -> Iterator[None]:
    """Make one sentence of a failure within it, with the cause that went to standard error.

    Raises:
        FocusDetrError: ``what`` and the cause, or there is no place for temporary files.
    """
    with placing():
        place = tempfile.TemporaryFile()  # noqa: SIM115
    with _ONE_AT_A_TIME, place as log:
        try:
            with _standard_error_to(log.fileno()):
                yield
        except FAILURES as error:
            reason = cause(_read(log.fileno())) or first_line(error)
            raise FocusDetrError(f"{what}: {reason}") from error
        os.write(_STDERR, _read(log.fileno()).encode())  # warnings go where they would have gone


@contextmanager
def _standard_error_to(file: int) -> Iterator[None]:
    """Within it standard error, also of libraries, is written to another file."""
    visible = os.dup(_STDERR)
    try:
        os.dup2(file, _STDERR)
        yield
    finally:
        os.dup2(visible, _STDERR)
        os.close(visible)


def _read(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")
