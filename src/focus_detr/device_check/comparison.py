"""The check itself: what a device computes beside what a CPU composes of MindSpore's operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from focus_detr.device_check.worker import ATTENTION, DETECTIONS, TRAINING, Refused, Task
from focus_detr.errors import FocusDetrError

if TYPE_CHECKING:
    from focus_detr.device_check.attention import Numbers

EQUAL, DIFFERS, MISSING, FAILED = "equal", "DIFFERS", "not here", "FAILED"
CPU = "CPU"
_COMPOSITION = "composition"
_IMPLEMENTATIONS = (_COMPOSITION, "custom", "builtin")  # a device's own, the last is preferred
_TIE = 1e-3  # scores so close to the last one of a list may or may not be in it
_TINY = 1e-30  # instead of a largest number of 0

Judge = Callable[["Numbers", "Numbers", float], tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    """What became of one part."""

    what: str
    verdict: str  # one of the four above
    told: str  # differences, or the reason

    def __str__(self) -> str:
        """All of it in a line."""
        return f"{self.verdict:<10}{self.what:<34}{self.told}"


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
    used = _COMPOSITION
    for msda in _IMPLEMENTATIONS:
        if (device, msda) != (CPU, _COMPOSITION):
            task = Task(ATTENTION, device, msda)
            finding = _compared(task, expected, tolerance, judge_numbers)
            used = msda if finding.verdict in (EQUAL, DIFFERS) else used
            yield finding
    if checkpoint is None:
        return
    for part, judge in ((DETECTIONS, judge_detections), (TRAINING, judge_numbers)):
        expected = _reference(Task(part, CPU, _COMPOSITION, checkpoint))
        yield _compared(Task(part, device, used, checkpoint), expected, tolerance, judge)


def judge_numbers(expected: Numbers, found: Numbers, tolerance: float) -> tuple[str, str]:
    """The verdict on arrays by name, and in words the largest difference."""
    gaps = {name: _relative(expected[name], found[name]) for name in expected}
    worst = max(gaps, key=lambda name: gaps[name])
    told = f"largest relative difference {gaps[worst]:.2g} ({worst})"
    return EQUAL if gaps[worst] <= tolerance else DIFFERS, told


def judge_detections(expected: Numbers, found: Numbers, tolerance: float) -> tuple[str, str]:
    """The verdict on lists of detections, and the differences in words."""
    # here, as these load MindSpore, which this process can do without
    from focus_detr.device_check.network import PICTURE, detections_of
    from focus_detr.exporting.comparison import compare

    result = compare(detections_of(expected), detections_of(found), max(PICTURE), _TIE)
    if not result.compared:
        return FAILED, f"no score is more than {_TIE:g} above the last one; take a better detector"
    return EQUAL if result.within(tolerance) else DIFFERS, str(result)


def _reference(task: Task) -> Numbers:
    try:
        return task.numbers()
    except Refused as error:
        raise FocusDetrError(str(error)) from error


def _compared(task: Task, expected: Numbers, tolerance: float, judge: Judge) -> Finding:
    what = f"{task.part}, {task.msda}"
    try:
        return Finding(what, *judge(expected, task.numbers(), tolerance))
    except Refused as error:
        # the composition is everywhere, and so is a network whose attention was there
        optional = task.part == ATTENTION and task.msda != _COMPOSITION
        return Finding(what, MISSING if optional else FAILED, str(error))
    except FocusDetrError as error:
        return Finding(what, FAILED, str(error))


def _relative(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference by the largest number; infinite where one is not finite."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    scale = max(float(np.abs(expected).max(initial=0.0)), _TINY)
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale
