"""Whether this process was asked to end, or told to end at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from focus_detr.interrupts import stop_signals


class StopWish:
    """What signals said: the first is a wish, SIGINT or SIGTERM after it an order.

    SIGHUP stays a wish: one closed terminal sends it twice, and after Ctrl-C it only confirms.
    """

    def __init__(self) -> None:
        """Start without a wish."""
        self.asked = False
        self.at_once = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within it these signals do nothing else; only the main thread may enter it."""
        outer = {number: signal.signal(number, self._note) for number in stop_signals()}
        try:
            yield
        finally:
            for number, handler in outer.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.at_once = self.at_once or (self.asked and number != signal.SIGHUP)
        self.asked = True
