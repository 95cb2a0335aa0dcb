"""How much of the queue one client may hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from focus_detr.demo.refusals import RefusalError


class Shares:
    """Keeps one client with slow uploads from taking all places."""

    def __init__(self, most: int) -> None:
        """Know no client yet.

        Args:
            most: requests of one client that may be under way at once.
        """
        self._most = most
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def held(self, client: str) -> Iterator[None]:
        """Count a request of ``client`` while the block runs.

        Raises:
            RefusalError: too many of its requests are under way.
        """
        if self._under_way[client] >= self._most:
            raise RefusalError(
                429,
                f"too many requests at once: at most {self._most} from one address; try again "
                "when one of them is answered",
                {"Retry-After": "1"},
            )
        self._under_way[client] += 1
        try:
            yield
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]
