"""A worker's word that it succeeded, for the launcher: msrun, its parent, tells of failures only.

msrun forgets how a worker ended within a second, and where it serves other machines it goes on for
long after; so success could only be guessed from its silence, which a full disk brings about too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# The folder, set by the launcher. Variables that begin with FOCUS_DETR_ belong to what compiled
# graphs depend on; this one differs in each run.
MARKS_VARIABLE = "LAUNCHER_SUCCESS_MARKS"


def leave_mark() -> None:
    """Say that this process has done what it was asked to; nothing without a launcher."""
    folder = os.environ.get(MARKS_VARIABLE)
    if folder:
        with suppress(OSError):  # the launcher then does not count it as a success
            _mark(Path(folder), os.getpid()).touch()


def has_mark(folder: Path, pid: int) -> bool:
    """Whether the process with this number left its mark."""
    return _mark(folder, pid).exists()


def _mark(folder: Path, pid: int) -> Path:
    return folder / str(pid)
