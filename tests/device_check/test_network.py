"""Numbers of a checkpoint: near ties change no verdict, and an error anywhere changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import pynative
from small_checkpoint import write_small_checkpoint

from focus_detr.comparing.given_selections import GivenTop
from focus_detr.comparing.proof import DETECTIONS, prove
from focus_detr.device_check.comparison import (
    DIFFERS,
    EQUAL,
    judge_detections,
    judge_numbers,
    judge_training,
)
from focus_detr.device_check.network import detection_numbers, training_numbers
from focus_detr.device_check.told import computed_of, list_names, without_lists
from focus_detr.device_check.worker import DETECTIONS as DETECTED
from focus_detr.device_check.worker import Task
from focus_detr.errors import FocusDetrError
from focus_detr.models.tokens import FOREGROUND, OBJECTS, PROPOSALS
from focus_detr.weights.checkpoint import load_checkpoint, save_checkpoint

TOLERANCE = 1e-3
Numbers = Mapping[str, np.ndarray]


@pytest.fixture(autouse=True)
def _pynative() -> Iterator[None]:
    with pynative():
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's part runs in this process."""

    def numbers(task: Task) -> object:
        compute = detection_numbers if task.part == DETECTED else training_numbers
        return compute(Path(task.checkpoint), task.choices)

    monkeypatch.setattr(Task, "numbers", numbers)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_checkpoint(tmp_path_factory.mktemp("network") / "a.safetensors")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other weights; of these some queries go to other proposals where scores nearly tie."""
    return write_small_checkpoint(tmp_path_factory.mktemp("other") / "a.safetensors", seed=1)


@pytest.fixture(scope="module")
def detected(checkpoint: Path) -> Numbers:
    """What the network finds by itself."""
    with pynative():
        return detection_numbers(checkpoint)


@pytest.fixture(scope="module")
def trained(other: Path) -> Numbers:
    """Losses and gradients of the other weights by themselves."""
    with pynative():
        return training_numbers(other)


def _with_a_wrong_sign(checkpoint: Path, folder: Path, bias: str) -> Path:
    loaded = load_checkpoint(checkpoint)
    tensors = {**loaded.tensors, bias: -loaded.tensors[bias]}
    wrong = folder / "wrong.safetensors"
    save_checkpoint(wrong, tensors, loaded.metadata)
    return wrong


@pytest.mark.usefixtures("here")
def test_detections_tell_checkpoints_apart(
    checkpoint: Path, other: Path, detected: Numbers
) -> None:
    assert judge_detections(str(checkpoint), detected, 1e-6)[0] == EQUAL
    assert judge_detections(str(other), detected, TOLERANCE)[0] == DIFFERS


def with_near_ties(
    compute: Callable[[Path], Numbers], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> Numbers:
    """What a device computes whose scores are a little different from a CPU's."""
    rng, construct = np.random.default_rng(0), GivenTop.construct

    def nudge(top: GivenTop, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        values = scores.asnumpy()
        noise = np.zeros_like(values)
        for row, found in zip(noise, values, strict=True):  # picture by picture
            real = found > -1e38
            row[real] = rng.uniform(-0.4, 0.4, real.sum()) * TOLERANCE * np.ptp(found[real])
        return construct(top, scores + Tensor(noise), count)

    with monkeypatch.context() as patch:
        patch.setattr(GivenTop, "construct", nudge)
        return compute(checkpoint)


@pytest.mark.usefixtures("here")
def test_near_ties_that_a_device_decides_otherwise_are_no_difference(
    checkpoint: Path, detected: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = with_near_ties(detection_numbers, checkpoint, monkeypatch)
    verdict, words = judge_detections(str(checkpoint), device, TOLERANCE)
    assert verdict == EQUAL, words
    assert "places in lists went to another of nearly equal scores" in words
    # a comparison in which each chooses for itself refuses the same device
    plain = prove(list_names(detected), computed_of(detected), computed_of(device), TOLERANCE)
    assert plain.difference > 10 * TOLERANCE and plain.fault != ""


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("bias", "where"),
    [
        ("foreground_selector.score_mlp.output.bias", FOREGROUND),
        ("class_heads.1.bias", OBJECTS.format(1)),
        ("encoder.layers.0.ffn.linear1.bias", PROPOSALS),
        ("decoder.layers.0.cross_attention.sampling_offsets.bias", DETECTIONS),
        ("class_heads.0.bias", DETECTIONS),
        ("box_heads.0.layers.2.bias", "boxes of the detections"),
    ],
)
def test_the_sign_of_one_bias_is_a_difference(
    checkpoint: Path, tmp_path: Path, bias: str, where: str
) -> None:
    wrong = _with_a_wrong_sign(checkpoint, tmp_path, bias)
    verdict, words = judge_detections(str(checkpoint), detection_numbers(wrong), TOLERANCE)
    assert verdict == DIFFERS and f"differ are the {where}, by" in words


@pytest.mark.usefixtures("here")
def test_near_ties_are_no_difference_of_losses_and_gradients(
    other: Path, trained: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = with_near_ties(training_numbers, other, monkeypatch)
    verdict, words = judge_training(str(other), device, TOLERANCE)
    assert verdict == EQUAL, words
    assert "largest relative difference" in words
    assert "places in lists went to another of nearly equal scores" in words
    # a comparison in which each chooses for itself refuses the same device
    alone, found = (without_lists(numbers) for numbers in (trained, device))
    assert judge_numbers(alone, found, 10 * TOLERANCE)[0] == DIFFERS


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("bias", "where"),
    [
        ("encoder.layers.0.ffn.linear1.bias", f"differ are the {PROPOSALS}, picture"),
        ("decoder.layers.0.cross_attention.sampling_offsets.bias", "largest relative difference"),
    ],
)
def test_the_sign_of_one_bias_is_a_difference_of_losses(
    checkpoint: Path, tmp_path: Path, bias: str, where: str
) -> None:
    wrong = _with_a_wrong_sign(checkpoint, tmp_path, bias)
    verdict, words = judge_training(str(checkpoint), training_numbers(wrong), TOLERANCE)
    assert verdict == DIFFERS and where in words


def test_a_batch_gives_every_loss_and_the_gradients_of_every_part(trained: Numbers) -> None:
    losses = [float(value) for name, value in trained.items() if name.startswith("loss ")]
    assert len(losses) > 5 and np.isfinite(losses).all() and max(losses) > 0
    gradients = {name: value for name, value in trained.items() if name.startswith("gradient")}
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
