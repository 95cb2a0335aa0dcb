"""What is called equal, and what is told where nothing can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from focus_detr.device_check.comparison import (
    DIFFERS,
    EQUAL,
    FAILED,
    MISSING,
    Finding,
    check_device,
    judge_detections,
    judge_numbers,
)
from focus_detr.device_check.worker import ATTENTION, DETECTIONS, TRAINING, Refused, Task
from focus_detr.errors import FocusDetrError

Numbers = Mapping[str, np.ndarray]
BASE = {"a": np.float32([1, -4, 2]), "b": np.float32([0.5])}
DETECTED = {
    "boxes": np.float32([[0, 0, 64, 64], [10, 10, 40, 40], [5, 5, 6, 6]]),
    "scores": np.float32([0.9, 0.5, 0.1]),
    "labels": np.array([1, 0, 1]),
}


@pytest.mark.parametrize(
    ("changed", "verdict", "told"),
    [
        ({}, EQUAL, "difference 0 "),
        ({"a": np.float32([1, -4, 2.002])}, EQUAL, "difference 0.0005 (a)"),
        ({"a": np.float32([1, -4, 2.02])}, DIFFERS, "difference 0.005 (a)"),
        ({"b": np.float32([0.505])}, DIFFERS, "difference 0.01 (b)"),
        ({"b": np.float32([np.nan])}, DIFFERS, "difference inf (b)"),
        ({"b": np.float32([0.5, 0.5])}, DIFFERS, "difference inf (b)"),
    ],
)
def test_numbers_are_judged_by_the_largest(changed: Numbers, verdict: str, told: str) -> None:
    found = judge_numbers(BASE, {**BASE, **changed}, 1e-3)
    assert found[0] == verdict and told in found[1]


def test_zeros_may_be_compared() -> None:
    zeros = {"a": np.zeros(3, np.float32)}
    assert judge_numbers(zeros, zeros, 0.0)[0] == EQUAL
    assert judge_numbers(zeros, {"a": np.float32([0, 1e-6, 0])}, 1e-3)[0] == DIFFERS


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, EQUAL),
        ({"scores": np.float32([0.9, 0.5005, 0.1])}, EQUAL),
        ({"scores": np.float32([0.9, 0.55, 0.1])}, DIFFERS),
        ({"labels": np.array([0, 0, 1])}, DIFFERS),
    ],
)
def test_detections_need_partners(changed: Numbers, verdict: str) -> None:
    assert judge_detections(DETECTED, {**DETECTED, **changed}, 1e-3)[0] == verdict


def test_a_larger_tolerance_compares_no_fewer_detections() -> None:
    low = {**DETECTED, "scores": np.float32([0.0095, 0.005, 0.002])}
    assert judge_detections(low, low, 1e-2)[0] == EQUAL


def test_no_detections_are_no_proof() -> None:
    none = {"boxes": np.zeros((0, 4)), "scores": np.zeros(0), "labels": np.zeros(0, int)}
    verdict, told = judge_detections(none, none, 1e-3)
    assert verdict == FAILED and "take a better detector" in told


def _answer(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Task], Numbers]) -> None:
    monkeypatch.setattr(Task, "numbers", answer)


def test_each_part_has_its_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(task: Task) -> Numbers:
        asked.append((task.part, task.device, task.msda))
        if task.msda == "builtin":
            raise Refused("no such operator")
        if task.device == "Ascend" and task.part == TRAINING:
            raise FocusDetrError("out of memory")
        if task.device == "Ascend" and task.part == DETECTIONS:
            raise Refused("a score is not finite")
        scale = 1.1 if task.device == "Ascend" and task.msda == "custom" else 1.0
        return {name: scale * tensor for name, tensor in BASE.items()}

    _answer(monkeypatch, answer)
    found = list(check_device("Ascend", "a.safetensors", 1e-3))
    assert [(finding.what, finding.verdict) for finding in found] == [
        ("attention, composition", EQUAL),
        ("attention, custom", DIFFERS),
        ("attention, builtin", MISSING),
        ("detections, custom", FAILED),
        ("losses and gradients, custom", FAILED),
    ]
    assert "no such operator" in str(found[2]) and "not finite" in str(found[3])
    assert asked[0] == (ATTENTION, "CPU", "composition")
    assert len(set(asked)) == len(asked)


def test_a_refusal_of_the_composition_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(task: Task) -> Numbers:
        if task.device == "GPU":
            raise Refused("device GPU cannot be used")
        return BASE

    _answer(monkeypatch, answer)
    found = [finding.verdict for finding in check_device("GPU", None, 1e-3)]
    assert found == [FAILED, MISSING, MISSING]


def test_a_cpu_is_not_compared_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, lambda task: BASE)
    found = list(check_device("CPU", None, 1e-3))
    assert [finding.what for finding in found] == ["attention, custom", "attention, builtin"]
    assert isinstance(found[0], Finding) and str(found[0]).startswith("equal     attention, custom")


def test_what_the_cpu_cannot_do_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(task: Task) -> Numbers:
        raise Refused("a.safetensors is no checkpoint")

    _answer(monkeypatch, refuse)
    with pytest.raises(FocusDetrError, match=r"a\.safetensors is no checkpoint"):
        list(check_device("CPU", "a.safetensors", 1e-3))
