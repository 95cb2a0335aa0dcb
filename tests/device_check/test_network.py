"""A checkpoint's detections and losses, as devices are compared on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from model_cases import pynative
from small_checkpoint import write_small_checkpoint

from focus_detr.device_check.comparison import judge_detections
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
    assert judge_detections(first, same, 1e-6)[0]
    assert not judge_detections(first, other, 1e-3)[0]


def test_a_step_gives_all_losses_and_a_norm(tmp_path: Path) -> None:
    numbers = training_numbers(write_small_checkpoint(tmp_path / "a.safetensors"))
    assert numbers["losses"][-1] == pytest.approx(numbers["losses"][:-1].sum(), rel=1e-5)
    assert (numbers["losses"] > 0).any() and np.isfinite(numbers["losses"]).all()
    assert np.isfinite(numbers["norm of all gradients"]) and numbers["norm of all gradients"] > 0


@pytest.mark.parametrize("compute", [detection_numbers, training_numbers])
def test_what_is_no_checkpoint_is_refused(
    compute: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(FocusDetrError, match=r"a\.safetensors"):
        compute(path)
