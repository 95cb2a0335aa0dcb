"""Ends a command on Ctrl-C, SIGTERM or SIGHUP without what libraries print about it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from focus_detr.process.screen import reader_may_go

# one meaning for all: MindSpore 2.10 turns SIGINT into SIGTERM while a graph runs
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2


def stop_signals() -> tuple[signal.Signals, ...]:
    """Signals that ask for an end; under nohup a terminal that is closed is no wish."""
    hang_up_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return _STOP_SIGNALS[:2] if hang_up_ignored else _STOP_SIGNALS


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; MindSpore's compiler prints pages when one passes through it."""
    if number == signal.SIGHUP:  # one closed terminal gives two: from its shell and the system
        signal.signal(number, signal.SIG_IGN)
    with reader_may_go(sys.stderr):
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    raise KeyboardInterrupt


@contextmanager
def stop_signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within it ``stop_signals`` call ``handler``; only the main thread may enter it."""
    outer = {number: signal.signal(number, handler) for number in stop_signals()}
    try:
        yield
    finally:
        for number, before in outer.items():
            signal.signal(number, before)


@contextmanager
def quiet_interrupts() -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt and standard error falls silent.

    At its end standard error and the signals' handlers are as before. Only the main thread can
    handle signals; in others nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    visible = os.dup(_STDERR)
    try:
        with stop_signals_to(_interrupt):
            yield
    finally:
        os.dup2(visible, _STDERR)
        os.close(visible)
