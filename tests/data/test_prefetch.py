"""Work ahead of the consumer."""

from __future__ import annotations

import threading
import time

import pytest

from focus_detr.data.prefetch import map_in_order


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("focus_detr_data")]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers: int) -> None:
    def slow_square(value: int) -> int:
        time.sleep(0.002 * (value % 3))
        return value * value

    assert list(map_in_order(slow_square, range(20), workers)) == [i * i for i in range(20)]
    assert our_threads() == []


@pytest.mark.parametrize("workers", [1, 3])
def test_work_ahead_is_bounded(workers: int) -> None:
    started: list[int] = []
    results = map_in_order(started.append, range(100), workers)
    next(results)
    time.sleep(0.05)
    assert len(started) == 2 * workers + 1
    results.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_reach_the_consumer_in_place(workers: int) -> None:
    results = map_in_order(lambda value: 10 // value, [5, 2, 0, 1], workers)
    assert [next(results), next(results)] == [2, 5]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert our_threads() == []


def test_leaving_early_ends_the_threads() -> None:
    results = map_in_order(lambda value: value, range(1000), 2)
    assert next(results) == 0
    assert our_threads() != []
    results.close()
    assert our_threads() == []
