"""How many pictures a second a run gets through."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rate:
    """Counts pictures; the first call, in which graphs are compiled, does not count.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = clock()
        self._calls = 0
        self._pictures = 0
        self._first = 0

    def add(self, pictures: int) -> None:
        """Count what was finished just now."""
        self._calls += 1
        self._pictures += pictures
        self._now = self._clock()
        if self._calls == 1:
            self._first, self._after_first = pictures, self._now

    @property
    def per_second(self) -> float:
        """Pictures a second; 0 if there were none. A single call is all that there is to count."""
        if self._calls == 0:
            return 0.0
        if self._calls == 1:
            return self._first / max(self._now - self._start, 1e-9)
        return (self._pictures - self._first) / max(self._now - self._after_first, 1e-9)
