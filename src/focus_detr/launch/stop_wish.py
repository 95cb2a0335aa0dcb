"""Whether this process was asked to end, or told to end at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from focus_detr.process.interrupts import stop_signals_to


class StopWish:
    """What signals said: the first is a wish, SIGINT or SIGTERM after it an order.

    SIGHUP stays a wish: one closed terminal sends it twice, and after Ctrl-C it only confirms.
    """

    def __init__(self) -> None:
        """Start without a wish."""
        self.at_once = False
        self._asked_at: float | None = None

    @property
    def asked(self) -> bool:
        """Whether any came."""
        return self._asked_at is not None

    def seconds(self) -> float:
        """Since the first; 0 before it."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within it these signals do nothing else; only the main thread may enter it."""
        with stop_signals_to(self._note):
            yield

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.at_once = self.at_once or (self.asked and number != signal.SIGHUP)
        if self._asked_at is None:
            self._asked_at = time.monotonic()
