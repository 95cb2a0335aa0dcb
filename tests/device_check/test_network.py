"""A checkpoint's detections and losses, as devices are compared on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from model_cases import pynative
from small_checkpoint import write_small_checkpoint

from focus_detr.device_check.comparison import DIFFERS, EQUAL, judge_detections
from focus_detr.device_check.network import detection_numbers, training_numbers
from focus_detr.errors import FocusDetrError


@pytest.fixture(autouse=True)
def _pynative() -> Iterator[None]:
    with pynative():
        yield


def test_detections_tell_checkpoints_apart(tmp_path: Path) -> None:
    first, same, other = (
        detection_numbers(write_small_checkpoint(tmp_path / f"{number}.safetensors", seed))
        for number, seed in enumerate((0, 0, 1))
    )
    assert judge_detections(first, same, 1e-6)[0] == EQUAL
    assert judge_detections(first, other, 1e-3)[0] == DIFFERS


def test_a_batch_gives_every_loss_and_the_gradients_of_every_part(tmp_path: Path) -> None:
    numbers = training_numbers(write_small_checkpoint(tmp_path / "a.safetensors"))
    losses = [float(value) for name, value in numbers.items() if name.startswith("loss ")]
    assert len(losses) > 5 and np.isfinite(losses).all() and max(losses) > 0
    gradients = {name: value for name, value in numbers.items() if name.startswith("gradient")}
    parts = {name.removeprefix("gradient of ") for name in gradients}
    assert {"backbone", "neck", "encoder", "decoder", "class_heads"} <= parts
    for name, gradient in gradients.items():
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, name


@pytest.mark.parametrize("compute", [detection_numbers, training_numbers])
def test_what_is_no_checkpoint_is_refused(
    compute: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(FocusDetrError, match=r"a\.safetensors"):
        compute(path)
