"""Two-stage proposals with mixed query selection (DINO)."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import XavierUniform, initializer

from focus_detr.models.box_math import box_sigmoid
from focus_detr.models.tokens import UNRANKED, TopScores, gather_tokens

OUTSIDE = 1e4  # logit of an unusable proposal's coordinates; sigmoid(1e4) is 1 as for infinity


class ProposalSelection(nn.Cell):
    """Picks the tokens whose boxes start the decoder; their content is learned per slot."""

    def __init__(self, queries: int, width: int) -> None:
        super().__init__()
        self.queries = queries
        self.top = TopScores()
        self.query_embed = Parameter(initializer(XavierUniform(), (queries, width)))

    def unsigmoid(self, proposals: Tensor, usable: Tensor) -> Tensor:
        """Logits of proposal boxes: [B, N, 4]; unusable ones lie beyond every box."""
        inside = ops.clamp(proposals, 1e-6, 1 - 1e-6)
        logits = ops.log(inside / (1 - inside))
        keep = ops.broadcast_to(usable[..., None] > 0.5, logits.shape)
        return ops.select(keep, logits, ops.full_like(logits, OUTSIDE))

    def choose(self, class_logits: Tensor, valid: Tensor, padding: str) -> tuple[Tensor, Tensor]:
        """Rank tokens by their best class.

        Args:
            class_logits: [B, N, classes] of the encoder's class head.
            valid: [B, N] float32.
            padding: with "full" padded tokens are never chosen before real ones.

        Returns:
            [B, Q] int32 token indices, best first, and [B, Q] float32: 0 for a slot that only
            padding could fill.
        """
        scores = ops.stop_gradient(class_logits.max(axis=-1))  # [B, N]
        count = min(self.queries, scores.shape[1])
        if padding != "full":
            return self.top(scores, count)[1], ops.ones((scores.shape[0], count), ms.float32)
        scores = ops.select(valid > 0.5, scores, ops.full_like(scores, UNRANKED))
        real = ops.arange(count).astype(ms.float32)[None, :] < valid.sum(axis=1, keepdims=True)
        return self.top(scores, count)[1], real.astype(ms.float32)

    def construct(
        self,
        memory: Tensor,
        box_logits: Tensor,
        chosen: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read the chosen tokens.

        Args:
            memory: [B, N, C] projected encoder memory.
            box_logits: [B, N, 4] head output plus unsigmoided proposal.
            chosen: [B, Q] int32.

        Returns:
            [B, Q, C] selected memory (for the encoder's own loss), [B, Q, 4] boxes in 0..1,
            [B, Q, C] query content.
        """
        selected = gather_tokens(memory, chosen)  # [B, Q, C]
        boxes = box_sigmoid(gather_tokens(box_logits, chosen))  # [B, Q, 4]
        content = self.query_embed[: chosen.shape[1]]
        return selected, boxes, ops.broadcast_to(content[None], selected.shape)
