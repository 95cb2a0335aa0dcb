"""Running a function ahead of its consumer in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` in order, computed in ``workers`` threads ahead of time.

    At most two results per worker are in the making or waiting. An exception reaches the consumer
    in place of its result. Closing the generator ends the threads. Zero workers compute in place.
    """
    if workers == 0:
        yield from map(function, items)
        return
    source = iter(items)
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="focus_detr_data")
    try:
        pending.extend(pool.submit(function, item) for item in islice(source, 2 * workers))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
