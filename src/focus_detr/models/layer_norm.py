"""LayerNorm whose gradient is quick on a CPU."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

EPSILON = 1e-5  # the field's usual one; MindSpore's own is 1e-7


class _Normalised(nn.Cell):
    """MindSpore's layer norm with a gradient made of matrix products.

    The gradient kernel that MindSpore 2.10 has for CPUs runs on one core and without vector
    instructions, and operations that broadcast a column take four times as long as others. So sums
    are products with ones, along the channels for the two means of a row and along the rows for
    the two parameters; and a column becomes a matrix by its product with a row. Only primitives are
    used, because the functions of ``ops`` take long to compile.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.mean = Tensor(np.full((width, 1), 1.0 / width, np.float32))
        self.every = Tensor(np.ones((1, width), np.float32))
        self.norm = ops.LayerNorm(-1, -1, EPSILON)
        self.product = ops.MatMul()
        self.row_sum = ops.MatMul(transpose_a=True)
        self.reshape, self.ones_like = ops.Reshape(), ops.OnesLike()
        self.square, self.rsqrt = ops.Square(), ops.Rsqrt()

    def construct(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """[..., C], [C], [C] -> [..., C]."""
        return self.norm(x, gamma, beta)[0]

    def _across(self, column: Tensor) -> Tensor:
        """[R, 1] -> [R, C]."""
        return self.product(column, self.every)

    def bprop(self, x: Tensor, gamma: Tensor, beta: Tensor, out: Tensor, dout: Tensor) -> tuple:
        """Gradients for x, gamma and beta."""
        rows = self.reshape(x, (-1, self.width))  # [R, C]
        slope = self.reshape(dout, (-1, self.width))  # [R, C]
        centred = rows - self._across(self.product(rows, self.mean))
        variance = self.product(self.square(centred), self.mean)  # [R, 1]
        inverse = self.rsqrt(variance + EPSILON)
        normal = centred * self._across(inverse)
        steep = slope * normal
        share = self.reshape(gamma * (1.0 / self.width), (self.width, 1))
        level = self.product(slope, share) * inverse  # [R, 1]
        tilt = self.product(steep, share) * inverse  # [R, 1]
        gain = self.product(inverse, self.reshape(gamma, (1, self.width)))  # [R, C]
        grad = slope * gain - normal * self._across(tilt) - self._across(level)
        ones = self.ones_like(inverse)  # [R, 1]
        grad_gamma, grad_beta = self.row_sum(ones, steep), self.row_sum(ones, slope)  # [1, C]
        return (
            self.reshape(grad, x.shape),
            self.reshape(grad_gamma, gamma.shape),
            self.reshape(grad_beta, beta.shape),
        )


class LayerNorm(nn.Cell):
    """LayerNorm over the last axis; parameters as in ``nn.LayerNorm``.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = Parameter(initializer("ones", (width,)))
        self.beta = Parameter(initializer("zeros", (width,)))
        self.on_cpu = ms.get_context("device_target") == "CPU"
        self.normalised = _Normalised(width) if self.on_cpu else ops.LayerNorm(-1, -1, EPSILON)

    def construct(self, x: Tensor) -> Tensor:
        """[..., C] float32 -> [..., C]."""
        if self.on_cpu:
            return self.normalised(x, self.gamma, self.beta)
        return self.normalised(x, self.gamma, self.beta)[0]
