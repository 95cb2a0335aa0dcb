"""Learning-rate numbers of the published schedules (7500 steps per epoch)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.config.schema import ScheduleConfig
from focus_detr.training.schedule import learning_rate

TWELVE = ScheduleConfig(epochs=12, milestones=(11,))
TWENTY_FOUR = ScheduleConfig(epochs=24, milestones=(20,))
THIRTY_SIX = ScheduleConfig(epochs=36, milestones=(28, 33.3333), warmup_steps=1000)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (TWELVE, 0, 1e-4),
        (TWELVE, 82_499, 1e-4),
        (TWELVE, 82_500, 1e-5),
        (TWELVE, 89_999, 1e-5),
        (TWENTY_FOUR, 149_999, 1e-4),
        (TWENTY_FOUR, 150_000, 1e-5),
        (THIRTY_SIX, 0, 1e-7),
        (THIRTY_SIX, 500, 0.5005e-4),
        (THIRTY_SIX, 1000, 1e-4),
        (THIRTY_SIX, 209_999, 1e-4),
        (THIRTY_SIX, 210_000, 1e-5),
        (THIRTY_SIX, 249_999, 1e-5),
        (THIRTY_SIX, 250_000, 1e-6),
    ],
)
def test_published_schedules(schedule: ScheduleConfig, step: int, expected: float) -> None:
    assert learning_rate(step, 1e-4, 7500, schedule) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 500), st.integers(1, 50))
def test_warm_up_rises_and_then_never_rises_again(warmup: int, steps_per_epoch: int) -> None:
    schedule = ScheduleConfig(epochs=4, milestones=(2, 3), warmup_steps=warmup)
    rates = [learning_rate(s, 1.0, steps_per_epoch, schedule) for s in range(warmup + 200)]
    constant = ScheduleConfig(epochs=4, milestones=(), warmup_steps=warmup)
    rising = [learning_rate(s, 1.0, steps_per_epoch, constant) for s in range(warmup + 1)]
    assert all(a < b for a, b in pairwise(rising))
    assert all(a >= b for a, b in pairwise(rates[warmup:]))
