"""Our LayerNorm against MindSpore's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from focus_detr.models.layer_norm import EPSILON, LayerNorm
from focus_detr.ops.products_choice import plain_products


def _weighted_gradients(cell: nn.Cell, x: np.ndarray, slope: np.ndarray) -> list[np.ndarray]:
    """Output, and gradients of a weighted sum of it for x, gamma and beta."""

    def weighted(x: Tensor) -> Tensor:
        return (cell(x) * Tensor(slope)).sum()

    weights = list(cell.trainable_params())
    by_x, by_weights = ops.grad(weighted, 0, weights)(Tensor(x))
    return [cell(Tensor(x)).asnumpy(), by_x.asnumpy(), *(g.asnumpy() for g in by_weights)]


@pytest.mark.parametrize("shape", [(2, 34, 128), (1, 1, 8), (3, 5, 7, 32)])
@pytest.mark.parametrize("centre", [0.0, 30.0])
@pytest.mark.parametrize("built", [nullcontext, plain_products], ids=["chosen", "plain"])
def test_values_and_gradients_in_training_equal_those_of_mindspore(
    shape: tuple[int, ...], centre: float, built: Callable[[], AbstractContextManager[None]]
) -> None:
    rng = np.random.default_rng(0)
    with built():
        ours = LayerNorm(shape[-1]).set_train()
    plain = nn.LayerNorm((shape[-1],), epsilon=EPSILON)
    assert [p.name for p in ours.get_parameters()] == [p.name for p in plain.get_parameters()]
    for a, b in zip(ours.get_parameters(), plain.get_parameters(), strict=True):
        values = Tensor(rng.normal(1.0, 0.3, a.shape).astype(np.float32))
        a.set_data(values)
        b.set_data(values)
    x = rng.normal(centre, 2.0, shape).astype(np.float32)
    slope = rng.normal(size=shape).astype(np.float32)
    got, expected = (_weighted_gradients(cell, x, slope) for cell in (ours, plain))
    np.testing.assert_allclose(got[0], expected[0], rtol=2e-6, atol=2e-6 * (1.0 + centre))
    for one, other in zip(got[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5 * np.abs(other).max())


def test_plain_evaluation_uses_the_norm_of_mindspore() -> None:
    x = Tensor(np.random.default_rng(0).normal(30.0, 2.0, (2, 7, 32)).astype(np.float32))
    with plain_products():
        ours = LayerNorm(32).set_train(False)
    plain = nn.LayerNorm((32,), epsilon=EPSILON)
    np.testing.assert_array_equal(ours(x).asnumpy(), plain(x).asnumpy())


def test_a_constant_row_has_finite_gradients() -> None:
    x, slope = np.full((1, 3, 16), 4.0, np.float32), np.ones((1, 3, 16), np.float32)
    output, *gradients = _weighted_gradients(LayerNorm(16).set_train(), x, slope)
    np.testing.assert_allclose(output, 0.0, atol=1e-6)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
