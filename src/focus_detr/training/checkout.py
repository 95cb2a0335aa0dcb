"""Which commit the code is of, where it lies in a checkout."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10  # seconds, for checkouts on slow disks


@dataclass(frozen=True)
class Checkout:
    """A state of the code."""

    commit: str
    dirty: bool  # whether files that git knows were changed since


def checkout_of(file: Path) -> Checkout | None:
    """The checkout that a file belongs to; None: git is missing or does not know the file.

    A package that is installed below someone else's checkout does not belong to that.
    """
    folder = file.parent
    if _git(folder, "ls-files", "--error-unmatch", file.name) is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return Checkout(commit, bool(changes))


def _git(folder: Path, *words: str) -> str | None:
    """What git says, or None if it fails; it writes nothing."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
