"""How often one client may ask."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from focus_detr.demo.refusals import RefusalError

_WINDOW = 60.0  # seconds
_REMEMBERED = 10_000  # clients, before those that may ask freely are forgotten


class RateLimiter:
    """Lets each client ask so often a minute, all at once or spread.

    Of each client only the time is kept at which its allowance will be full again (the generic cell
    rate algorithm), so that memory does not grow with requests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Know no client yet.

        Args:
            per_minute: requests of one client.
            clock: seconds.
        """
        self._per_minute = per_minute
        self._clock = clock
        self._full_again: dict[str, float] = {}

    def check(self, client: str) -> None:
        """Count a request of ``client``.

        Raises:
            RefusalError: it has asked too often; the request does not count.
        """
        now = self._clock()
        full_again = max(now, self._full_again.get(client, now)) + _WINDOW / self._per_minute
        wait = full_again - now - _WINDOW
        if wait > 1e-6:  # seconds; less is rounding
            seconds = math.ceil(wait)
            raise RefusalError(
                429,
                f"too many requests: at most {self._per_minute} a minute from one address; "
                f"try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )
        self._forget(now)
        self._full_again[client] = full_again

    def _forget(self, now: float) -> None:
        if len(self._full_again) >= _REMEMBERED:
            self._full_again = {
                client: time for client, time in self._full_again.items() if time > now
            }
