"""Turns SIGINT, SIGTERM and SIGHUP into a wish to stop after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from focus_detr.process.interrupts import stop_signals
from focus_detr.process.screen import tell


class TrainingStopped(Exception):
    """A run ended early on request; its text says where its state is and how to go on."""


class StopSignal:
    """Context in which the first signal is noted and a second one acts as it did outside.

    ``requested`` says whether one came; SIGINT or SIGTERM cannot be told apart (see
    ``interrupts``). SIGHUP stays a wish: one closed terminal sends it twice.
    """

    def __init__(self) -> None:
        """Start without a wish."""
        self.requested = False
        self._outer: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        """Take the signals over; only the main thread may do so, others cannot be asked to stop."""
        if threading.current_thread() is not threading.main_thread():
            return self
        self._outer = {number: signal.signal(number, self._note) for number in stop_signals()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._restore(*self._outer)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            return
        self.requested = True
        self._restore(signal.SIGINT, signal.SIGTERM)
        tell("stopping after this step or evaluation; once more stops at once")

    def _restore(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            signal.signal(number, self._outer[number])
