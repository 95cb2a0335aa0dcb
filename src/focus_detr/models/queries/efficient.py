"""Queries of the best proposals, each with its token's memory as content (Efficient DETR)."""

from __future__ import annotations

from mindspore import Tensor, ops

from focus_detr.models.box_math import BoxSigmoid
from focus_detr.models.grid import Grid
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.positions import BoxSineEmbedding
from focus_detr.models.queries.proposals import Proposals, ProposedQueries
from focus_detr.models.queries.queries import Queries
from focus_detr.models.tokens import gather_tokens
from focus_detr.ops.products import Linear


class EfficientQueries(ProposedQueries):
    """Sparse DETR's efficient query initialisation.

    Content and position both come from the token, so that only the set of the proposals matters to
    the decoder, not their order.

    Args:
        proposals: of the memory.
        width: C.
    """

    def __init__(self, proposals: Proposals, width: int) -> None:
        super().__init__(proposals)
        self.box_embedding = BoxSineEmbedding(width, x_first=True)
        self.box_projection = Linear(2 * width, width)
        self.norm = LayerNorm(width)
        self.sigmoid = BoxSigmoid()

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; the encoder's loss is on every token."""
        proposed = self.proposals(memory, grid, isolated)
        boxes = self.sigmoid(proposed["box_logits"])  # [B, N, 4]
        references = ops.stop_gradient(gather_tokens(boxes, proposed["chosen"]))  # [B, Q, 4]
        return {
            "content": gather_tokens(memory, proposed["chosen"]),  # [B, Q, C]
            "references": references,
            "real": proposed["real"],
            "position": self.norm(self.box_projection(self.box_embedding(references))),  # [B, Q, C]
            "logits": proposed["logits"],
            "boxes": boxes,
        }
