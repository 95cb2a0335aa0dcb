"""Native products beside their plain twins: building both, and comparing numbers and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.ops.products import Convolution
from focus_detr.ops.products_choice import plain_products


def both(build: Callable[[], nn.Cell]) -> tuple[nn.Cell, nn.Cell]:
    """The native cell and its plain twin, of the same weights."""
    native = build()
    with plain_products():
        plain = build()
    rng = np.random.default_rng(1)
    for one, other in zip(native.get_parameters(), plain.get_parameters(), strict=True):
        spread = np.sqrt(max(1, np.prod(one.shape[1:])))  # so that results are about one
        values = Tensor((rng.normal(size=one.shape) / spread).astype(np.float32))
        one.set_data(values)
        other.set_data(values)
    return native.set_train(), plain.set_train()


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def value_and_gradients(cell: nn.Cell, inputs: tuple, places: tuple[int, ...]) -> list[np.ndarray]:
    """The result, and the gradients of inputs and weights under a loss that is uneven."""
    weights = list(cell.trainable_params())

    def loss(*given: Any) -> tuple[Tensor, Tensor]:
        out = cell(*given)
        return (
            out * ops.sin(ops.arange(out.size).reshape(out.shape).astype(ms.float32))
        ).sum(), out

    step = ms.value_and_grad(loss, places, weights or None, has_aux=True)
    (_, out), gradients = step(*inputs)
    if not weights:
        gradients = (gradients, ())
    first = gradients[0] if isinstance(gradients[0], tuple) else (gradients[0],)
    return [array.asnumpy() for array in (out, *first, *gradients[1])]


def assert_alike(ours: list[np.ndarray], theirs: list[np.ndarray], scale: float = 1.0) -> None:
    """Equal but for rounding."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        largest = np.abs(other).max(initial=1.0)
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * scale * largest)


class OnMaps(nn.Cell):
    """A cell on maps, with channels first outside."""

    def __init__(self, cell: nn.Cell, last: bool) -> None:
        super().__init__(auto_prefix=False)
        self.cell, self.last = cell, last

    def construct(self, x: Tensor, *others: Tensor) -> Tensor:
        if not self.last:
            return self.cell(x, *others)
        moved = ()
        for other in others:
            moved += (other.transpose(0, 2, 3, 1) if other.ndim == 4 else other,)
        return self.cell(x.transpose(0, 2, 3, 1), *moved).transpose(0, 3, 1, 2)


class Convolved(nn.Cell):
    """A convolution of given kernel and bias, and a residual."""

    def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__()
        self.convolve = Convolution(shape[0], shape[2], **settings)
        self.kernel = ms.Parameter(Tensor(np.zeros(shape, np.float32)), name="kernel")
        self.bias = ms.Parameter(Tensor(np.zeros(shape[0], np.float32)), name="bias")

    def construct(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        return self.convolve(x, self.kernel, self.bias, residual)
