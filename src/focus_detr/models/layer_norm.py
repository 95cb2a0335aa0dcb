"""LayerNorm with the field's epsilon."""

from __future__ import annotations

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

EPSILON = 1e-5  # the field's usual one; MindSpore's own is 1e-7


class LayerNorm(nn.Cell):
    """LayerNorm over the last axis; parameters as in ``nn.LayerNorm``.

    Its gradient kernel for CPUs runs on one core. A gradient of our own made of matrix products was
    quicker, but as a ``bprop`` it made the training step's compilation take many times as long.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = Parameter(initializer("ones", (width,)))
        self.beta = Parameter(initializer("zeros", (width,)))
        self.norm = ops.LayerNorm(-1, -1, EPSILON)

    def construct(self, x: Tensor) -> Tensor:
        """[..., C] float32 -> [..., C]."""
        return self.norm(x, self.gamma, self.beta)[0]
