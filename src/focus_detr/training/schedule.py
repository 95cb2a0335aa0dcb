"""Learning rate as a pure function of the step, so that a resumed run needs no state for it."""

from __future__ import annotations

from focus_detr.config.schema import ScheduleConfig


def learning_rate(step: int, base: float, steps_per_epoch: int, schedule: ScheduleConfig) -> float:
    """Rate of the update number ``step`` (counted from 0).

    Args:
        step: updates done before.
        base: the rate between warm-up and first milestone.
        steps_per_epoch: updates per epoch; a milestone takes effect at the nearest whole step.
        schedule: milestones in epochs, decay at each, linear warm-up in steps.
    """
    passed = sum(step >= round(epoch * steps_per_epoch) for epoch in schedule.milestones)
    return base * warmup(step, schedule) * schedule.decay**passed


def warmup(step: int, schedule: ScheduleConfig) -> float:
    """Factor that rises linearly from ``warmup_factor`` at step 0 to 1 after ``warmup_steps``."""
    if step >= schedule.warmup_steps:
        return 1.0
    share = step / schedule.warmup_steps
    return schedule.warmup_factor * (1.0 - share) + share
