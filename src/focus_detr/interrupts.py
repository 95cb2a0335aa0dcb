"""Ends a command on Ctrl-C or SIGTERM without what libraries print about it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# one meaning for both: MindSpore 2.10 turns SIGINT into SIGTERM while a graph runs
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; MindSpore's compiler prints pages when one passes through it."""
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    raise KeyboardInterrupt


@contextmanager
def quiet_interrupts() -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM raise KeyboardInterrupt and standard error falls silent.

    At its end standard error and the signals' handlers are as before. Only the main thread can
    handle signals; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    visible = os.dup(_STDERR)
    outer = {number: signal.signal(number, _interrupt) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in outer.items():
            signal.signal(number, handler)
        os.dup2(visible, _STDERR)
        os.close(visible)
