"""AdamW against the formula in double precision."""

from __future__ import annotations

from typing import NamedTuple

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor

from focus_detr.errors import FocusDetrError
from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import TrainedParameter

SHAPES = ((5, 7), (3,))
FACTORS = (1.0, 0.1)
DECAYS = (0.05, 0.0)
RATES = (1e-2, 1e-2, 5e-3, 1e-3, 2e-2, 1e-2)


def _parameters(seed: int = 0) -> list[Parameter]:
    rng = np.random.default_rng(seed)
    return [
        Parameter(Tensor(rng.normal(size=shape).astype(np.float32)), name=f"weight{i}")
        for i, shape in enumerate(SHAPES)
    ]


def _optimizer(parameters: list[Parameter]) -> AdamW:
    return AdamW(
        [
            TrainedParameter(parameter.name, parameter, factor, decay)
            for parameter, factor, decay in zip(parameters, FACTORS, DECAYS, strict=True)
        ]
    )


def _gradients(step: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([7, step])
    return tuple((rng.normal(size=s) * 10.0 ** (-step % 3)).astype(np.float32) for s in SHAPES)


def _apply(optimizer: AdamW, steps: range) -> None:
    for step in steps:
        gradients = tuple(Tensor(g) for g in _gradients(step))
        optimizer(gradients, Tensor(RATES[step], ms.float32))


def _twin(weight: np.ndarray, index: int) -> np.ndarray:
    """torch.optim.AdamW in float64."""
    w = weight.astype(np.float64)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for step, rate in enumerate(RATES):
        g = _gradients(step)[index].astype(np.float64)
        lr = rate * FACTORS[index]
        w *= 1 - lr * DECAYS[index]
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        corrected = np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8
        w -= lr * (m / (1 - 0.9 ** (step + 1))) / corrected
    return w


class _Run(NamedTuple):
    """Weights at the start, after three steps with the state, and after six."""

    start: list[np.ndarray]
    halfway: list[np.ndarray]
    state: dict[str, np.ndarray]
    end: list[np.ndarray]


def _values(parameters: list[Parameter]) -> list[np.ndarray]:
    return [parameter.asnumpy().copy() for parameter in parameters]


@pytest.fixture(scope="module")
def six_steps() -> _Run:
    """Of one optimiser, whose update is compiled once."""
    parameters = _parameters()
    optimizer, start = _optimizer(parameters), _values(parameters)
    _apply(optimizer, range(3))
    halfway, state = _values(parameters), optimizer.state()
    _apply(optimizer, range(3, 6))
    return _Run(start, halfway, state, _values(parameters))


def test_six_steps_equal_the_formula_in_both_groups(six_steps: _Run) -> None:
    for index, (start, end) in enumerate(zip(six_steps.start, six_steps.end, strict=True)):
        expected = _twin(start, index) - start
        np.testing.assert_allclose(end - start, expected, atol=5e-7)
        assert np.abs(expected).max() > 1e-3


def test_state_carries_over_bit_by_bit(six_steps: _Run) -> None:
    second_half = _parameters(seed=1)
    for source, target in zip(six_steps.halfway, second_half, strict=True):
        target.set_data(Tensor(source))
    resumed = _optimizer(second_half)
    resumed.load_state(six_steps.state)
    _apply(resumed, range(3, 6))

    for a, b in zip(six_steps.end, second_half, strict=True):
        np.testing.assert_array_equal(a, b.asnumpy())
    assert resumed.state()["optimizer.step"] == 6


def test_state_has_plain_names() -> None:
    assert set(_optimizer(_parameters()).state()) == {
        "optimizer.first.weight0",
        "optimizer.first.weight1",
        "optimizer.second.weight0",
        "optimizer.second.weight1",
        "optimizer.step",
    }


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_foreign_state_is_refused_and_changes_nothing(damage: str) -> None:
    optimizer = _optimizer(_parameters())
    state = {name: value + 1 for name, value in optimizer.state().items()}
    if damage == "missing":
        del state["optimizer.second.weight1"]
    else:
        state["optimizer.second.weight1"] = np.zeros(4, np.float32)
    with pytest.raises(FocusDetrError, match=r"optimizer\.second\.weight1"):
        optimizer.load_state(state)
    assert all(not value.any() for value in optimizer.state().values())
