"""Queries of two-stage Deformable DETR: position and content follow from a proposal's box."""

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


class TwoStageQueries(ProposedQueries):
    """The best proposals; a place in their order means nothing.

    Args:
        proposals: of the memory.
        width: C.
    """

    def __init__(self, proposals: Proposals, width: int) -> None:
        super().__init__(proposals)
        self.width = width
        self.box_embedding = BoxSineEmbedding(width, x_first=True)
        self.box_projection = Linear(2 * width, 2 * width)
        self.norm = LayerNorm(2 * width)
        self.sigmoid = BoxSigmoid()

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; the encoder's loss is on all tokens."""
        proposed = self.proposals(memory, grid, isolated)
        boxes = self.sigmoid(proposed["box_logits"])  # [B, N, 4]
        references = ops.stop_gradient(gather_tokens(boxes, proposed["chosen"]))  # [B, Q, 4]
        position, content = self.placed(references)
        return {
            "content": content,
            "references": references,
            "real": proposed["real"],
            "position": position,
            "logits": proposed["logits"],
            "boxes": boxes,
        }

    def placed(self, references: Tensor) -> tuple[Tensor, Tensor]:
        """Positions and contents of the best proposals' boxes [B, Q, 4]: [B, Q, C] each."""
        both = self.place(references)
        return both[..., : self.width], both[..., self.width :]

    def place(self, references: Tensor) -> Tensor:
        """Positions, then contents, of boxes: [B, Q, 4] -> [B, Q, 2C]."""
        return self.norm(self.box_projection(self.box_embedding(references)))
