"""Learned queries of Deformable DETR: a position, a content and a point for each place."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from focus_detr.models.box_math import box_sigmoid
from focus_detr.models.grid import Grid
from focus_detr.models.queries.queries import Queries
from focus_detr.models.tokens import Choice
from focus_detr.ops.products import Linear


class LearnedPoints(nn.Cell):
    """The same queries for every image; their points are a linear function of their positions.

    Args:
        queries: Q.
        width: C.
    """

    def __init__(self, queries: int, width: int) -> None:
        super().__init__()
        self.queries, self.width = queries, width
        # position, then content
        self.embed = Parameter(initializer(Normal(1.0), (queries, 2 * width)))
        self.reference_points = Linear(width, 2)

    def count(self, tokens: int) -> int:
        """Number Q of queries, however many tokens there are."""
        return self.queries

    def choices(self, tokens: int) -> list[Choice]:
        """Nothing is chosen."""
        return []

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; gradients reach the points."""
        batch = memory.shape[0]
        embed = ops.broadcast_to(self.embed[None], (batch, self.queries, 2 * self.width))
        position = embed[..., : self.width]  # [B, Q, C]
        return {
            "content": embed[..., self.width :],
            "references": box_sigmoid(self.reference_points(position)),  # [B, Q, 2]
            "real": ops.ones((batch, self.queries), ms.float32),
            "position": position,
        }
