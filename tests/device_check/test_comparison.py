"""What is called equal, and what is told where nothing can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from focus_detr.comparing.proof import Computed, Selection
from focus_detr.device_check.comparison import (
    DIFFERS,
    EQUAL,
    FAILED,
    MISSING,
    Finding,
    check_device,
    judge_detections,
    judge_numbers,
    judge_training,
)
from focus_detr.device_check.told import selections_of, told, told_lists
from focus_detr.device_check.worker import ATTENTION, DETECTIONS, TRAINING, Refused, Task
from focus_detr.errors import FocusDetrError

Numbers = Mapping[str, np.ndarray]
BASE = {"a": np.float32([1, -4, 2]), "b": np.float32([0.5])}
COMPUTED = Computed(
    [Selection(np.float32([3, 2, 1, 0]), np.int32([0, 1]))],
    np.float32([0.9, 0.5]),
    np.int32([1, 0]),
    np.float32([[0, 0, 0.5, 0.5], [0.1, 0.1, 0.4, 0.4]]),
)
DETECTED = told(["foreground scores"], COMPUTED)
NEAR = np.float32([3, 2.0002, 2, 0])


def _answer(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Task], Numbers]) -> None:
    monkeypatch.setattr(Task, "numbers", answer)


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
    ("changed", "verdict", "words"),
    [
        ({}, EQUAL, "all lists chosen alike"),
        ({"scores": np.float32([0.9, 0.5005])}, EQUAL, "scores of the detections"),
        ({"scores": np.float32([0.9, 0.55])}, DIFFERS, "scores of the detections"),
        ({"labels": np.int32([0, 0])}, DIFFERS, "the labels of the same choices"),
        ({"among foreground scores": np.float32([3, 2, 1, 0.1])}, DIFFERS, "foreground scores"),
    ],
)
def test_detections_of_the_same_choices_are_compared(
    monkeypatch: pytest.MonkeyPatch, changed: Numbers, verdict: str, words: str
) -> None:
    _answer(monkeypatch, lambda task: DETECTED)
    found = judge_detections("a.safetensors", {**DETECTED, **changed}, 1e-3)
    assert found[0] == verdict and words in found[1]


def test_the_cpu_follows_what_the_device_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def follow(task: Task) -> Numbers:
        assert task.choices is not None
        asked.append((task.part, task.device, task.msda, task.checkpoint))
        places = selections_of(task.choices)[0].places
        return {**DETECTED, "among foreground scores": NEAR, "chosen foreground scores": places}

    _answer(monkeypatch, follow)
    other = {**DETECTED, "among foreground scores": NEAR[[0, 2, 1, 3]]}
    other["chosen foreground scores"] = np.int32([0, 2])
    verdict, words = judge_detections("a.safetensors", other, 1e-3)
    assert verdict == EQUAL and words.startswith("largest difference of numbers 6.7e-05")
    assert "1 of 2 places in lists went to another of nearly equal scores" in words
    assert asked == [(DETECTIONS, "CPU", "composition", "a.safetensors")]


@pytest.mark.parametrize("places", [(0, 0), (0, 2), (1, 0), (0, 10**9)])
def test_places_that_a_device_cannot_mean_are_not_followed(
    monkeypatch: pytest.MonkeyPatch, places: tuple[int, int]
) -> None:
    _answer(monkeypatch, lambda task: pytest.fail("the CPU follows"))
    wrong = {**DETECTED, "chosen foreground scores": np.array(places)}
    verdict, words = judge_detections("a.safetensors", wrong, 1e-3)
    assert verdict == DIFFERS
    assert words == "the list by its foreground scores is not of the highest ones"


@pytest.mark.parametrize(
    ("changed", "verdict", "words"),
    [
        ({}, EQUAL, "difference 0 (a); largest difference of numbers 0, of "),
        ({"a": np.float32([1, -4, 2.1])}, DIFFERS, "difference 0.025 (a)"),
        ({"among x, picture 2": np.float32([3, 2, 1, 0.1])}, DIFFERS, "are the x, picture 2, by"),
        ({"chosen x, picture 1": np.int32([1, 0])}, DIFFERS, "the list by its x, picture 1 is"),
    ],
)
def test_losses_of_the_same_choices_are_compared(
    monkeypatch: pytest.MonkeyPatch, changed: Numbers, verdict: str, words: str
) -> None:
    asked = []

    def follow(task: Task) -> Numbers:
        asked.append((task.part, task.device, task.choices))
        return trained

    trained = {**BASE, **told_lists(["x, picture 1", "x, picture 2"], [*COMPUTED.selections] * 2)}
    _answer(monkeypatch, follow)
    device = {**trained, **changed}
    found = judge_training("a.safetensors", device, 1e-3)
    assert found[0] == verdict and words in found[1]
    assert asked in ([], [(TRAINING, "CPU", device)])


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
        if task.part == DETECTIONS:
            return DETECTED
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


def test_a_bad_checkpoint_is_not_blamed_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(task: Task) -> Numbers:
        if task.checkpoint:
            raise Refused("a.safetensors is no checkpoint")
        return BASE

    _answer(monkeypatch, answer)
    with pytest.raises(FocusDetrError, match=r"a\.safetensors is no checkpoint"):
        for finding in check_device("GPU", "a.safetensors", 1e-3):
            assert finding.what.startswith(ATTENTION)
