"""Queries of Deformable-DETR++: positions follow once from proposals' boxes, contents are learned.

Mixed query selection (DINO) on two-stage Deformable DETR, as H-DETR and DAC-DETR have it.
"""

from __future__ import annotations

from mindspore import Parameter, Tensor, ops
from mindspore.common.initializer import Normal, initializer

from focus_detr.models.grid import Grid
from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.queries.queries import Queries
from focus_detr.models.queries.two_stage import TwoStageQueries
from focus_detr.models.tokens import gather_tokens


class TwoStageMixedQueries(TwoStageQueries):
    """The best proposals' boxes, each with the content of its place in their order.

    Args:
        proposals: of the memory.
        width: C.
    """

    def __init__(self, proposals: Proposals, width: int) -> None:
        super().__init__(proposals, width)
        self.query_embed = Parameter(initializer(Normal(1.0), (proposals.queries, width)))

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; the encoder's loss is on all tokens."""
        proposed = self.proposals(memory, grid, isolated)
        boxes = self.sigmoid(proposed["box_logits"])  # [B, N, 4]
        references = ops.stop_gradient(gather_tokens(boxes, proposed["chosen"]))  # [B, Q, 4]
        batch, count = proposed["chosen"].shape
        content = self.query_embed[:count][None]  # [1, Q, C]
        return {
            "content": ops.broadcast_to(content, (batch, count, self.width)),
            "references": references,
            "real": proposed["real"],
            "position": self.position(references),
            "logits": proposed["logits"],
            "boxes": boxes,
        }

    def position(self, references: Tensor) -> Tensor:
        """Positions of boxes, denoising queries' too: [B, Q, 4] -> [B, Q, C]."""
        return self.place(references)[..., : self.width]
