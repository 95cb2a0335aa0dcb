"""Calls ``lite_worker.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("lite_worker.py")


def run_worker(*arguments: object, fails: bool = False) -> str:
    """What it says on standard error."""
    command = [sys.executable, str(WORKER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr
