"""Learned queries of DAB- and DN-Deformable-DETR: a content and a box for each place."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, Zero, initializer

from focus_detr.models.box_math import box_sigmoid
from focus_detr.models.grid import Grid
from focus_detr.models.queries.queries import Queries
from focus_detr.models.tokens import Choice


class LearnedAnchors(nn.Cell):
    """The same queries for every image.

    Args:
        queries: Q.
        width: C.
        marked: a last channel, 0 here, tells denoising queries apart.
    """

    def __init__(self, queries: int, width: int, *, marked: bool) -> None:
        super().__init__()
        self.queries, self.marked = queries, marked
        self.content_embed = Parameter(initializer(Zero(), (queries, width - marked)))
        self.anchors = Parameter(initializer(Normal(1.0), (queries, 4)))  # logits of cx cy w h

    def count(self, tokens: int) -> int:
        """Number Q of queries, however many tokens there are."""
        return self.queries

    def choices(self, tokens: int) -> list[Choice]:
        """Nothing is chosen."""
        return []

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; gradients reach the anchors."""
        batch, content = memory.shape[0], self.content_embed
        if self.marked:
            mark = ops.zeros((self.queries, 1), ms.float32)
            content = ops.concat((content, mark), axis=1)  # [Q, C]
        boxes = box_sigmoid(self.anchors)  # [Q, 4]
        return {
            "content": ops.broadcast_to(content[None], (batch, self.queries, content.shape[1])),
            "references": ops.broadcast_to(boxes[None], (batch, self.queries, 4)),
            "real": ops.ones((batch, self.queries), ms.float32),
        }
