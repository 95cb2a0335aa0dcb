"""No selection: every layer refines every token, as in Deformable DETR."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import Choice, places


@constexpr
def _everything(batch: int, layers: int, tokens: int) -> Tensor:
    """[B, layers] int32, the number of tokens everywhere."""
    return Tensor(np.full((batch, layers), tokens, np.int32))


class AllTokens(nn.Cell):
    """Lists all tokens, in their own order."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers

    def counts(self, tokens: int) -> tuple[int, ...]:
        """All of them in each layer."""
        return (tokens,) * self.layers

    def choices(self, tokens: int) -> list[Choice]:
        """Nothing is chosen."""
        return []

    def construct(self, tokens: Tensor, grid: Grid, shapes: Shapes, isolated: bool) -> Selection:
        """As described at ``TokenSelection``."""
        batch, count = tokens.shape[:2]
        alike = ops.ones((batch, count), ms.float32)
        everything = _everything(batch, self.layers, count)
        return {
            "ranked": ops.broadcast_to(places(count), (batch, count)),
            "limits": everything,
            "written": everything,
            "scores": alike,
            "masked": alike,
        }
