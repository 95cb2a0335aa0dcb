"""Queries of two-stage Deformable DETR: position and content follow from a proposal's box."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import box_sigmoid
from focus_detr.models.grid import Grid
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.positions import BoxSineEmbedding
from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.queries.queries import Queries
from focus_detr.models.tokens import Choice, gather_tokens
from focus_detr.ops.products import Linear


class TwoStageQueries(nn.Cell):
    """The best proposals; a place in their order means nothing.

    Args:
        proposals: of the memory.
        width: C.
    """

    def __init__(self, proposals: Proposals, width: int) -> None:
        super().__init__()
        self.proposals, self.width = proposals, width
        self.box_embedding = BoxSineEmbedding(width, x_first=True)
        self.box_projection = Linear(2 * width, 2 * width)
        self.norm = LayerNorm(2 * width)

    def count(self, tokens: int) -> int:
        """Number Q of queries, for N tokens."""
        return self.proposals.count(tokens)

    def choices(self, tokens: int) -> list[Choice]:
        """The ranking of the proposals."""
        return self.proposals.choices(tokens)

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; the encoder's loss is on all tokens."""
        proposed = self.proposals(memory, grid, isolated)
        chosen = ops.stop_gradient(gather_tokens(proposed["box_logits"], proposed["chosen"]))
        boxes = box_sigmoid(chosen)  # [B, Q, 4]
        both = self.norm(self.box_projection(self.box_embedding(boxes)))  # [B, Q, 2C]
        return {
            "content": both[..., self.width :],
            "references": boxes,
            "real": proposed["real"],
            "position": both[..., : self.width],
            "logits": proposed["logits"],
            "boxes": box_sigmoid(proposed["box_logits"]),
        }
