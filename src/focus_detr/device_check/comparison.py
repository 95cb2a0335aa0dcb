"""The check itself: what a device computes beside what a CPU composes of MindSpore's operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from focus_detr.device_check.worker import ATTENTION, DETECTIONS, TRAINING, NotAvailable, Task
from focus_detr.errors import FocusDetrError

if TYPE_CHECKING:
    from focus_detr.device_check.attention import Numbers

EQUAL, DIFFERS, MISSING, FAILED = "equal", "DIFFERS", "not here", "FAILED"
CPU = "CPU"
_AUTO, _COMPOSITION = "auto", "composition"
_TINY = 1e-30  # instead of a largest number of 0
_IMPLEMENTATIONS = (_COMPOSITION, "custom", "builtin")

Judge = Callable[["Numbers", "Numbers", float], tuple[bool, str]]


@dataclass(frozen=True)
class Finding:
    """What became of one part."""

    what: str
    verdict: str  # one of the four above
    told: str  # differences, or the reason

    @property
    def is_bad(self) -> bool:
        """Whether the device is not to be trusted with this."""
        return self.verdict in (DIFFERS, FAILED)

    def __str__(self) -> str:
        """All of it in a line."""
        return f"{self.verdict:<10}{self.what:<28}{self.told}"


def check_device(device: str, checkpoint: str | None, tolerance: float) -> Iterator[Finding]:
    """Compare part by part.

    Args:
        device: as MindSpore spells it.
        checkpoint: a detector's, whose detections and losses are compared; None: neither.
        tolerance: largest difference, relative to the largest number of a tensor; of a score, and
            of a box in units of the picture's longer side.

    Raises:
        FocusDetrError: the CPU cannot do it, for want of a good checkpoint for example.
    """
    expected = _reference(Task(ATTENTION, CPU, _COMPOSITION))
    for msda in _IMPLEMENTATIONS:
        if (device, msda) != (CPU, _COMPOSITION):
            task = Task(ATTENTION, device, msda)
            yield _compared(f"attention, {msda}", task, expected, tolerance, judge_numbers)
    if checkpoint is None:
        return
    for part, judge in ((DETECTIONS, judge_detections), (TRAINING, judge_numbers)):
        expected = _reference(Task(part, CPU, _COMPOSITION, checkpoint))
        task = Task(part, device, _AUTO, checkpoint)
        yield _compared(part, task, expected, tolerance, judge)


def judge_numbers(expected: Numbers, found: Numbers, tolerance: float) -> tuple[bool, str]:
    """Whether all numbers are within the tolerance, and in words the largest difference."""
    gaps = {name: _relative(expected[name], found[name]) for name in expected}
    worst = max(gaps, key=lambda name: gaps[name])
    told = f"largest relative difference {gaps[worst]:.2g} ({worst})"
    return gaps[worst] <= tolerance, told


def judge_detections(expected: Numbers, found: Numbers, tolerance: float) -> tuple[bool, str]:
    """Whether all detections have a partner within the tolerance, and the differences in words."""
    # here, as these load MindSpore, which this process can do without
    from focus_detr.device_check.network import PICTURE, detections_of
    from focus_detr.export.comparison import compare

    result = compare(detections_of(expected), detections_of(found), max(PICTURE), tolerance)
    return result.compared > 0 and result.within(tolerance), str(result)


def _reference(task: Task) -> Numbers:
    try:
        return task.numbers()
    except NotAvailable as error:
        raise FocusDetrError(str(error)) from error


def _compared(what: str, task: Task, expected: Numbers, tolerance: float, judge: Judge) -> Finding:
    try:
        good, told = judge(expected, task.numbers(), tolerance)
    except NotAvailable as error:
        return Finding(what, MISSING, str(error))
    except FocusDetrError as error:
        return Finding(what, FAILED, str(error))
    return Finding(what, EQUAL if good else DIFFERS, told)


def _relative(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference by the largest number; infinite where one is not finite."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    scale = max(float(np.abs(expected).max(initial=0.0)), _TINY)
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale
