"""Processor, memory and disk of this machine, as far as this process may use them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from focus_detr.process.runtime import THREADS_VARIABLE

_MEMORY = Path("/proc/meminfo")
_LIMITS = (  # of a container: allowed and used bytes
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


@dataclass(frozen=True)
class Machine:
    """What there is; sizes in bytes, None where they cannot be known."""

    python: str
    executable: str
    system: str
    cores: int  # that this process may use
    threads: str | None  # that ``THREADS_VARIABLE`` allows
    free_memory: int | None
    memory: int | None
    folder: str
    free_disk: int | None  # in that folder

    @classmethod
    def here(cls) -> Machine:
        """Look around."""
        sizes = _memory()
        free, total = sizes.get("MemAvailable"), sizes.get("MemTotal")
        for limit, used in _LIMITS:
            allowed = _number(limit)
            if allowed is not None and total is not None and allowed < total:
                total = allowed
                free = min(free or allowed, max(0, allowed - (_number(used) or 0)))
        return cls(
            python=platform.python_version(),
            executable=sys.executable,
            system=platform.platform(),
            cores=_cores(),
            threads=os.environ.get(THREADS_VARIABLE),
            free_memory=free,
            memory=total,
            folder=_folder(),
            free_disk=_free_disk(),
        )


def in_words(size: int | None) -> str:
    """Bytes for people."""
    return "unknown" if size is None else f"{size / 2**30:.1f} GB"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> dict[str, int]:
    try:
        lines = [line.split() for line in _MEMORY.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max": there is no limit
        return None


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return "."


def _free_disk() -> int | None:
    try:
        return shutil.disk_usage(".").free
    except OSError:
        return None
