"""A step of a made-up run."""

from __future__ import annotations

from focus_detr.training.run_log import StepReport


def step_report(step: int, total: float = 1.0) -> StepReport:
    """Numbers that tests look for; waiting for data takes 10 ms times ``step``."""
    return StepReport(
        epoch=1,
        step=step,
        total_steps=100,
        total=total,
        parts={"loss_class": 0.25, "loss_class_0": 0.5, "select_loss": 0.125},
        lr=1e-4,
        gradient_norm=3.0,
        data_ms=10.0 * step,
        step_ms=1000.0,
    )
