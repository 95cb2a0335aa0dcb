"""Deformable sampling against the reference's numbers, a plain twin and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, load
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Tensor, nn, ops

from focus_detr.ops.msda import MSDeformableSampling, msda_numpy


class Weighted(nn.Cell):
    """Sum of the output times given weights, so that its gradients are the golden file's."""

    def __init__(self, shapes: tuple[tuple[int, int], ...], output_weights: np.ndarray) -> None:
        super().__init__()
        self.sample, self.shapes = MSDeformableSampling(), shapes
        self.output_weights = Tensor(output_weights)

    def construct(self, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return (self.sample(value, self.shapes, locations, weights) * self.output_weights).sum()


def _shapes(golden: dict) -> tuple[tuple[int, int], ...]:
    return tuple((int(h), int(w)) for h, w in golden["spatial_shapes"])


def _inputs(golden: dict) -> tuple[Tensor, Tensor, Tensor]:
    return (
        Tensor(golden["value"]),
        Tensor(golden["sampling_locations"]),
        Tensor(golden["attention_weights"]),
    )


class Sampling(nn.Cell):
    """The operator with its shapes fixed."""

    def __init__(self, shapes: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.sample, self.shapes = MSDeformableSampling(), shapes

    def construct(self, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return self.sample(value, self.shapes, locations, weights)


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b", "msda_edge"])
def test_output_equals_the_reference(case: str) -> None:
    golden = load(case)
    output = Sampling(_shapes(golden))(*_inputs(golden)).asnumpy()
    check(golden, "output", output)
    np.testing.assert_allclose(output, golden["output_f64"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ["msda_op_a", "msda_op_b"])
def test_gradients_equal_the_reference(case: str) -> None:
    golden = load(case)
    gradient = ops.grad(Weighted(_shapes(golden), golden["grad_output"]), (0, 1, 2))
    for key, found in zip(
        ("grad_value", "grad_locations", "grad_weights"), gradient(*_inputs(golden)), strict=True
    ):
        exact = golden[f"{key}_f64"]
        tolerance = 1e-5 * np.abs(exact).max()
        np.testing.assert_allclose(found.asnumpy(), exact, atol=tolerance, err_msg=key)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shapes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3),
)
def test_equals_the_plain_twin_at_any_shape(seed: int, shapes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(seed)
    tokens = sum(h * w for h, w in shapes)
    value = rng.normal(size=(1, tokens, 2, 3)).astype(np.float32)
    locations = rng.uniform(-0.5, 1.5, (1, 2, 2, len(shapes), 2, 2)).astype(np.float32)
    weights = rng.uniform(size=(1, 2, 2, len(shapes), 2)).astype(np.float32)
    found = Sampling(tuple(shapes))(Tensor(value), Tensor(locations), Tensor(weights))
    expected = msda_numpy(value, tuple(shapes), locations, weights)
    np.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-4, atol=1e-5)
