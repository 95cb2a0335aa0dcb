"""How much memory this process holds."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_KIB = 1024
_STATUS = Path("/proc/self/status")


def linux_bytes(field: str) -> int:
    """Bytes that Linux reports for this process under a name such as VmRSS; elsewhere 0."""
    if not _STATUS.exists():
        return 0
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * _KIB
    return 0


def peak_bytes() -> int:
    """Largest resident size so far.

    getrusage, which has to do where there is no /proc, counts that of the program that started us.
    """
    unit = 1 if sys.platform == "darwin" else _KIB
    return linux_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
