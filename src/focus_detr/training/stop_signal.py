"""Turns SIGINT and SIGTERM into a wish to stop after the current step."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from focus_detr.interrupts import STOP_SIGNALS
from focus_detr.screen import tell


class TrainingStopped(Exception):
    """A run ended early on request; its text says where its state is and how to go on."""


class StopSignal:
    """Context in which the first signal is noted and a second one acts as it did outside.

    ``requested`` says whether one came; which one cannot be known (see ``STOP_SIGNALS``).
    """

    def __init__(self) -> None:
        """Start without a wish."""
        self.requested = False
        self._outer: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        """Take the signals over; only the main thread may do so."""
        self._outer = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()
        tell("stopping after this step or evaluation; once more stops at once")

    def _restore(self) -> None:
        for number, handler in self._outer.items():
            signal.signal(number, handler)
