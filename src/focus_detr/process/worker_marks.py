"""What a worker tells its launcher: that it waits for the others, that it succeeded.

msrun, its parent, tells of failures only. It forgets how a worker ended within a second, and where
it serves other machines it goes on for long after; so success could only be guessed from its
silence, which a full disk brings about too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The folder, set by the launcher. Variables that begin with FOCUS_DETR_ belong to what compiled
# graphs depend on; this one differs in each run.
MARKS_VARIABLE = "LAUNCHER_MARKS"
MEETING, SUCCESS = "meeting", "success"


def leave_mark(kind: str) -> None:
    """Say this of this process; nothing without a launcher.

    Args:
        kind: ``SUCCESS``: it has done what it was asked to.
    """
    folder = os.environ.get(MARKS_VARIABLE)
    if folder:
        with suppress(OSError):  # the launcher then does not count on it
            _mark(Path(folder), os.getpid(), kind).touch()


@contextmanager
def marked(kind: str) -> Iterator[None]:
    """Say this of this process as long as the block lasts; nothing without a launcher.

    Args:
        kind: ``MEETING``: it waits for other workers, so none has begun.
    """
    leave_mark(kind)
    try:
        yield
    finally:
        folder = os.environ.get(MARKS_VARIABLE)
        if folder:
            with suppress(OSError):
                _mark(Path(folder), os.getpid(), kind).unlink()


def has_mark(folder: Path, pid: int, kind: str) -> bool:
    """Whether the process with this number says this of itself."""
    return _mark(folder, pid, kind).exists()


def _mark(folder: Path, pid: int, kind: str) -> Path:
    return folder / f"{pid}.{kind}"
