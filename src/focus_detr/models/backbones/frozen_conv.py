"""Convolution followed by a batch norm that never changes."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import HeNormal, initializer

from focus_detr.ops import products_custom
from focus_detr.ops.products import Convolution
from focus_detr.ops.products_choice import native_products


class FrozenBatchNorm(nn.Cell):
    """Holder of a batch norm's four vectors, all constant.

    It only tells scale and shift: y = (x - running_mean) * weight / sqrt(running_var + eps) + bias.
    """

    def __init__(self, channels: int, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = Parameter(initializer("ones", (channels,)), requires_grad=False)
        self.bias = Parameter(initializer("zeros", (channels,)), requires_grad=False)
        self.running_mean = Parameter(initializer("zeros", (channels,)), requires_grad=False)
        variance = Tensor([1.0 - epsilon] * channels, ms.float32)
        self.running_var = Parameter(variance, requires_grad=False)

    def construct(self) -> tuple[Tensor, Tensor]:
        """Scale [C] and shift [C]."""
        scale = self.weight * ops.rsqrt(self.running_var + self.epsilon)
        return scale, self.bias - self.running_mean * scale


class FrozenConv(nn.Cell):
    """Convolution and frozen batch norm as one convolution.

    The norm's scale goes into the kernel and its shift becomes the bias: one pass over the map
    instead of three, the same function and the same gradient for the kernel.

    ``padding`` is (top, bottom, left, right) or None for kernel // 2 on all sides; ``activation``
    is none, relu or relu6.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        epsilon: float = 1e-5,
        padding: tuple[int, int, int, int] | None = None,
        activation: str = "none",
    ) -> None:
        super().__init__()
        shape = (outputs, inputs // groups, kernel, kernel)
        # He normal over the fan out, as the reference initialises convolutions before a ReLU
        self.weight = Parameter(initializer(HeNormal(mode="fan_out"), shape))
        self.norm = FrozenBatchNorm(outputs, epsilon=epsilon)
        self.convolve = Convolution(
            outputs,
            kernel,
            stride=stride,
            padding=padding if padding is not None else (kernel // 2,) * 4,
            groups=groups,
            activation=activation,
        )
        self.folded = False
        library = native_products()
        # (weight, the norm's four vectors) -> kernel [C_out, C_in / groups, k, k] and bias [C_out]
        self.with_norm = self._with_norm
        if library is not None:
            self.with_norm = products_custom.fold_norm(library, epsilon)

    def construct(
        self, x: Tensor, residual: Tensor | None = None, valid: Tensor | None = None
    ) -> Tensor:
        """A map to a map, as ``Convolution``; the residual is added before the activation."""
        norm = self.norm
        kernel, shift = self.with_norm(
            self.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var
        )
        return self.convolve(x, kernel, shift, residual, valid)

    def _with_norm(
        self, weight: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
    ) -> tuple[Tensor, Tensor]:
        scale, shift = self.norm()
        return self._scaled_kernel(scale), shift

    def _folded(
        self, weight: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
    ) -> tuple[Tensor, Tensor]:
        return weight, bias

    def fold(self) -> None:
        """Work the norm into the stored kernel and bias, once, instead of at every run.

        For inference only: the parameters are no longer those of a checkpoint.
        """
        if self.folded:
            return
        scale, shift = self.norm.construct()  # not by a call, which would compile a graph
        self.weight.set_data(self._scaled_kernel(scale))
        self.norm.bias.set_data(shift)
        self.folded, self.with_norm = True, self._folded

    def _scaled_kernel(self, scale: Tensor) -> Tensor:
        """[C_out] -> [C_out, C_in / groups, k, k]."""
        return self.weight * scale.reshape(-1, 1, 1, 1)  # [C_out, 1, 1, 1]


def fold_norms(network: nn.Cell) -> None:
    """Fold every frozen norm of a network; see ``FrozenConv.fold``."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, FrozenConv):
            cell.fold()
