"""How often one client may ask."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.demo import rate
from focus_detr.demo.rate import RateLimiter
from focus_detr.demo.refusals import RefusalError


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _passes(limiter: RateLimiter, client: str = "a") -> bool:
    try:
        limiter.check(client)
    except RefusalError:
        return False
    return True


def test_the_allowance_may_be_used_at_once_and_comes_back_evenly() -> None:
    clock = _Clock()
    limiter = RateLimiter(6, clock)
    assert [_passes(limiter) for _ in range(8)] == [True] * 6 + [False] * 2
    clock.now += 9.9
    assert not _passes(limiter)
    clock.now += 0.1
    assert [_passes(limiter) for _ in range(2)] == [True, False]


def test_clients_do_not_share() -> None:
    limiter = RateLimiter(1, _Clock())
    assert _passes(limiter, "a") and _passes(limiter, "b") and not _passes(limiter, "a")


def test_the_refusal_says_when_to_come_back() -> None:
    clock = _Clock()
    limiter = RateLimiter(2, clock)
    limiter.check("a")
    limiter.check("a")
    clock.now += 7.5
    with pytest.raises(RefusalError, match=r"at most 2 a minute.*again in 23 s") as caught:
        limiter.check("a")
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "23"}
    clock.now += 23
    limiter.check("a")


@given(st.integers(1, 20), st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200))
def test_no_minute_holds_more_than_two_allowances(per_minute: int, pauses: list[float]) -> None:
    clock = _Clock()
    limiter = RateLimiter(per_minute, clock)
    passed = []
    for pause in pauses:
        clock.now += pause
        if _passes(limiter):
            passed.append(clock.now)
    for start in passed:
        assert sum(start <= time < start + 60 for time in passed) <= 2 * per_minute


def test_clients_that_went_away_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_REMEMBERED", 10)
    clock = _Clock()
    limiter = RateLimiter(1, clock)
    for number in range(100):
        limiter.check(str(number))
        clock.now += 20
    assert len(limiter._full_again) <= 10
