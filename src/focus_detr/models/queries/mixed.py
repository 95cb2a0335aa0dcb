"""Mixed query selection (DINO): boxes from the proposals, contents learned for each place."""

from __future__ import annotations

from mindspore import Parameter, Tensor, ops
from mindspore.common.initializer import XavierUniform, initializer

from focus_detr.models.box_math import BoxSigmoid
from focus_detr.models.grid import Grid
from focus_detr.models.queries.proposals import Proposals, ProposedQueries
from focus_detr.models.queries.queries import Queries
from focus_detr.models.tokens import gather_tokens
from focus_detr.ops.slicing import part


class MixedQueries(ProposedQueries):
    """The best proposals' boxes with learned contents, or with the tokens' own.

    Args:
        proposals: of the memory.
        width: C.
        learned: contents belong to the place in the ranking; otherwise they are the chosen
            tokens of the projected memory, without gradient.
    """

    def __init__(self, proposals: Proposals, width: int, *, learned: bool = True) -> None:
        super().__init__(proposals)
        self.sigmoid = BoxSigmoid()
        self.learned = learned
        if learned:
            self.query_embed = Parameter(initializer(XavierUniform(), (proposals.queries, width)))

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """As described at ``QuerySource``; the encoder's loss is on the chosen tokens."""
        proposed = self.proposals(memory, grid, isolated)
        chosen = proposed["chosen"]
        selected = gather_tokens(proposed["projected"], chosen)  # [B, Q, C]
        boxes = self.sigmoid(gather_tokens(proposed["box_logits"], chosen))  # [B, Q, 4]
        if self.learned:
            content = part(self.query_embed, 0, 0, chosen.shape[1])  # [Q, C]
            content = ops.broadcast_to(ops.expand_dims(content, 0), selected.shape)  # [B, Q, C]
        else:
            content = ops.stop_gradient(selected)
        return {
            "content": content,
            "references": ops.stop_gradient(boxes),
            "real": proposed["real"],
            "logits": self.proposals.class_head(selected),
            "boxes": boxes,
        }
