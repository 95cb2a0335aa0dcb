"""LayerNorm with the field's epsilon, quick to train on a CPU."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

from focus_detr.ops import products_custom
from focus_detr.ops.products_choice import native_products

EPSILON = 1e-5  # the field's usual one; MindSpore's own is 1e-7


class LayerNorm(nn.Cell):
    """LayerNorm over the last axis; parameters as in ``nn.LayerNorm``.

    Native products compute it where they are there. Elsewhere on a CPU it is composed of matrix
    products while training: forward and backward pass together then take about half the time, as
    MindSpore 2.10 computes the gradient of its own norm, sums over an axis and the broadcasting of
    a column element by element, on one core. The gradient is left to automatic differentiation: as
    a ``bprop``, the same products made compiling the training step take many times as long.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.gamma = Parameter(initializer("ones", (width,)))
        self.beta = Parameter(initializer("zeros", (width,)))
        library = native_products()
        self.norm = self._plain if library is None else products_custom.layer_norm(library, EPSILON)
        self.native, self.own_norm = library is not None, ops.LayerNorm(-1, -1, EPSILON)
        self.on_cpu = ms.get_context("device_target") == "CPU"
        self.average = Tensor(np.full((width, 1), 1.0 / width, np.float32))
        self.every = Tensor(np.ones((1, width), np.float32))
        # primitives: the functions of ops take longer to compile
        self.product, self.add_row, self.rsqrt = ops.MatMul(), ops.BiasAdd(), ops.Rsqrt()
        self.reshape = ops.Reshape()

    def construct(self, x: Tensor) -> Tensor:
        """[..., C] float32 -> [..., C]."""
        return self.norm(x, self.gamma, self.beta)

    def _plain(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        if self.training and self.on_cpu:
            return self._composed(x)
        return self.own_norm(x, gamma, beta)[0]

    def _composed(self, x: Tensor) -> Tensor:
        """A column [R, 1] becomes a matrix by its product with a row [1, C]."""
        rows = self.reshape(x, (-1, self.width))  # [R, C]
        mean = self.product(rows, self.average)  # [R, 1]
        centred = rows - self.product(mean, self.every)  # [R, C]
        # not ops.Square: its gradient is slower
        variance = self.product(centred * centred, self.average)  # [R, 1]
        gamma = self.reshape(self.gamma, (1, self.width))  # [1, C]
        gain = self.product(self.rsqrt(variance + EPSILON), gamma)  # [R, C]
        return self.reshape(self.add_row(centred * gain, self.beta), x.shape)  # [..., C]
