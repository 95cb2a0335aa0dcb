"""Queries of Deformable-DETR++: positions follow once from proposals' boxes, contents are learned.

Mixed query selection (DINO) on two-stage Deformable DETR, as H-DETR and DAC-DETR have it.
"""

from __future__ import annotations

from mindspore import Parameter, Tensor, ops
from mindspore.common.initializer import Normal, initializer

from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.queries.two_stage import TwoStageQueries


class TwoStageMixedQueries(TwoStageQueries):
    """The best proposals' boxes, each with the content of its place in their order.

    Args:
        proposals: of the memory.
        width: C.
    """

    def __init__(self, proposals: Proposals, width: int) -> None:
        super().__init__(proposals, width)
        self.query_embed = Parameter(initializer(Normal(1.0), (proposals.queries, width)))

    def placed(self, references: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of the proposals' boxes [B, Q, 4], and learned contents: [B, Q, C] each."""
        batch, count, _ = references.shape
        content = self.query_embed[:count][None]  # [1, Q, C]
        return self.position(references), ops.broadcast_to(content, (batch, count, self.width))

    def position(self, references: Tensor) -> Tensor:
        """Positions of boxes, denoising queries' too: [B, Q, 4] -> [B, Q, C]."""
        return self.place(references)[..., : self.width]
