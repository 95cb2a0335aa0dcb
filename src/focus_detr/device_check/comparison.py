"""The check itself: what a device computes beside what a CPU composes of MindSpore's operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from focus_detr.comparing.proof import fault_of_lists, prove
from focus_detr.device_check.told import (
    Numbers,
    computed_of,
    list_names,
    lists_of,
    selections_of,
    without_lists,
)
from focus_detr.device_check.worker import ATTENTION, DETECTIONS, TRAINING, Refused, Task
from focus_detr.errors import FocusDetrError

EQUAL, DIFFERS, MISSING, FAILED = "equal", "DIFFERS", "not here", "FAILED"
CPU = "CPU"
_COMPOSITION = "composition"
_IMPLEMENTATIONS = (_COMPOSITION, "custom", "builtin")  # a device's own, the last is preferred
_TINY = 1e-30  # instead of a largest number of 0

Judge = Callable[[Numbers], tuple[str, str]]  # of what a device told


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
        tolerance: largest difference, relative to the largest number of a tensor; of detections
            as ``proof.prove`` takes it.

    Raises:
        FocusDetrError: the CPU cannot do it, for want of a good checkpoint for example.
    """
    expected = _reference(Task(ATTENTION, CPU, _COMPOSITION))
    used = _COMPOSITION
    for msda in _IMPLEMENTATIONS:
        if (device, msda) != (CPU, _COMPOSITION):
            task = Task(ATTENTION, device, msda)
            finding = _found(task, partial(judge_numbers, expected, tolerance=tolerance))
            used = msda if finding.verdict in (EQUAL, DIFFERS) else used
            yield finding
    if checkpoint is None:
        return
    for part, judge in ((DETECTIONS, judge_detections), (TRAINING, judge_training)):
        follow = partial(judge, checkpoint, tolerance=tolerance)
        yield _found(Task(part, device, used, checkpoint), follow)


def judge_numbers(expected: Numbers, found: Numbers, tolerance: float) -> tuple[str, str]:
    """The verdict on arrays by name, and in words the largest difference."""
    gaps = {name: _relative(expected[name], found[name]) for name in expected}
    worst = max(gaps, key=lambda name: gaps[name])
    told = f"largest relative difference {gaps[worst]:.2g} ({worst})"
    return EQUAL if gaps[worst] <= tolerance else DIFFERS, told


def judge_detections(checkpoint: str, found: Numbers, tolerance: float) -> tuple[str, str]:
    """The verdict on what a device told, beside a CPU that chooses as the device did.

    Nearly equal scores change places with the order of a sum, so that two good devices may choose,
    and then find, something else.

    Raises:
        FocusDetrError: the CPU cannot do it.
    """
    names = list_names(found)
    if fault := fault_of_lists(names, selections_of(found)):
        return DIFFERS, fault  # and may be places that are not there
    expected = _reference(Task(DETECTIONS, CPU, _COMPOSITION, checkpoint, found))
    proof = prove(names, computed_of(expected), computed_of(found), tolerance)
    return DIFFERS if proof.fault else EQUAL, proof.fault or str(proof)


def judge_training(checkpoint: str, found: Numbers, tolerance: float) -> tuple[str, str]:
    """The same of losses and gradients, after the lists that they come from.

    Raises:
        FocusDetrError: the CPU cannot do it.
    """
    names = list_names(found)
    if fault := fault_of_lists(names, selections_of(found)):
        return DIFFERS, fault
    expected = _reference(Task(TRAINING, CPU, _COMPOSITION, checkpoint, found))
    proof = prove(names, lists_of(expected), lists_of(found), tolerance)
    if proof.fault:
        return DIFFERS, proof.fault
    verdict, told = judge_numbers(without_lists(expected), without_lists(found), tolerance)
    return verdict, f"{told}; {proof}"


def _reference(task: Task) -> Numbers:
    try:
        return task.numbers()
    except Refused as error:
        raise FocusDetrError(str(error)) from error


def _found(task: Task, judge: Judge) -> Finding:
    what = f"{task.part}, {task.msda}"
    try:
        found = task.numbers()
    except Refused as error:
        if task.checkpoint:  # which a CPU refuses as well if it is no good one
            _reference(replace(task, device=CPU, msda=_COMPOSITION))
        # the composition is everywhere, and so is a network whose attention was there
        optional = task.part == ATTENTION and task.msda != _COMPOSITION
        return Finding(what, MISSING if optional else FAILED, str(error))
    except FocusDetrError as error:
        return Finding(what, FAILED, str(error))
    return Finding(what, *judge(found))


def _relative(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference by the largest number; infinite where one is not finite."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    scale = max(float(np.abs(expected).max(initial=0.0)), _TINY)
    return float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale
