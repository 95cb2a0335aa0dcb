"""A temporary folder of this process that does not outlive it for long, even after a kill."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_GRACE = 60.0  # seconds between a folder's creation and its lock, at the very most


def private_folder(purpose: str) -> Path:
    """Create a folder that is deleted at the end of the program.

    A killed program cannot do that: its folder goes when the next program asks for one like it. The
    lock on a folder tells that its program lives; it also keeps the system's cleaners of /tmp away.

    Args:
        purpose: a word that its name begins with, after that of the package.

    Raises:
        OSError: there is no place for temporary files.
    """
    prefix = f"focus_detr_{purpose}_"
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with suppress(OSError):  # a file system without locks: there, nothing is swept either
        _lock(folder)  # held until the process ends
    sweep(folder.parent, prefix)
    return folder


def sweep(parent: Path, prefix: str) -> None:
    """Delete the folders of programs that are dead, of those whose names begin so."""
    for path in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _GRACE:
                _delete_unlocked(path)


def _delete_unlocked(path: Path) -> None:
    descriptor = _lock(path)
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """The descriptor that holds the lock; OSError if another one holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
