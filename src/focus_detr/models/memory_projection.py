"""The projection of tokens that the foreground selector and the two-stage proposals share."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.layer_norm import LayerNorm
from focus_detr.ops.products import Linear, WeighRows


class MemoryProjection(nn.Cell):
    """Linear and LayerNorm over tokens whose unusable rows were set to zero.

    Unusable rows (padding, or a proposal too near the border) all become one constant, the
    projection of zero; they are not removed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = WeighRows()
        self.linear = Linear(width, width)
        self.norm = LayerNorm(width)

    def construct(self, tokens: Tensor, usable: Tensor) -> Tensor:
        """[B, N, C] tokens and [B, N] (1 usable) -> [B, N, C]."""
        return self.norm(self.linear(self.weigh(tokens, usable[..., None])))
