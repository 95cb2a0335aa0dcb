"""What crosses the border between the processes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from focus_detr.device_check import network, worker
from focus_detr.device_check.worker import DETECTIONS, Task, main

Numbers = Mapping[str, np.ndarray]
CHOICES = {"chosen foreground scores": np.int32([3, 1])}


@pytest.mark.parametrize("choices", [None, CHOICES])
def test_choices_reach_the_process(
    monkeypatch: pytest.MonkeyPatch, choices: Numbers | None
) -> None:
    given: list[tuple[Any, ...]] = []

    def compute(checkpoint: Path, *choices: Numbers) -> Numbers:
        given.append((str(checkpoint), *choices))
        return {"scores": np.float32([0.5])}

    def run(words: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert words[1:3] == ["-m", "focus_detr.device_check.worker"]
        assert options["env"]["FOCUS_DETR_MSDA"] == "composition"
        return subprocess.CompletedProcess(words, main(words[3:]), "", "")

    monkeypatch.setattr(network, "detection_numbers", compute)
    monkeypatch.setattr(worker, "prepare_runtime", lambda device: device)
    # only here, as libraries start programs of their own
    monkeypatch.setattr(worker, "subprocess", SimpleNamespace(run=run))
    task = Task(DETECTIONS, "CPU", "composition", "a.safetensors", choices)
    assert task.numbers()["scores"].tolist() == [0.5]
    ((checkpoint, *arrived),) = given
    assert checkpoint == "a.safetensors" and len(arrived) == (choices is not None)
    for numbers in arrived:
        assert list(numbers) == list(CHOICES)
        np.testing.assert_array_equal(numbers["chosen foreground scores"], [3, 1])
