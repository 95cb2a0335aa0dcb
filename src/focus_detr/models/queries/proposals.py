"""Two-stage proposals: every token of the memory proposes a box, and the best become queries."""

from __future__ import annotations

from typing import TypedDict

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.models.grid import Grid
from focus_detr.models.heads import Heads
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.tokens import PROPOSALS, UNRANKED, Choice, TopScores, places


class Proposed(TypedDict):
    """Of all tokens, and which of them are the best."""

    projected: Tensor  # [B, N, C]
    logits: Tensor  # [B, N, classes]
    box_logits: Tensor  # [B, N, 4]
    chosen: Tensor  # [B, Q] int32, best first
    real: Tensor  # [B, Q] float32: 0 for a place that only padding could fill


class Proposals(nn.Cell):
    """Proposes and ranks.

    Args:
        projection: of the memory.
        heads: the encoder's pair is used.
        queries: how many are chosen, at most.
        by_first_class: rank by the first logit, which two-stage Deformable DETR trains to tell
            objects from background; otherwise by the best class.
    """

    def __init__(
        self,
        projection: MemoryProjection,
        heads: Heads,
        queries: int,
        *,
        by_first_class: bool = False,
    ) -> None:
        super().__init__()
        self.projection = projection
        self.class_head = heads.encoder_class_head()
        self.box_head = heads.encoder_box_head()
        self.queries = queries
        self.by_first_class = by_first_class
        self.top = TopScores()

    def count(self, tokens: int) -> int:
        """Number Q of proposals, for N tokens."""
        return min(self.queries, tokens)

    def choices(self, tokens: int) -> list[Choice]:
        """The ranking."""
        return [Choice(PROPOSALS, self, tokens, self.count(tokens))]

    def choose(self, logits: Tensor, valid: Tensor, isolated: bool) -> tuple[Tensor, Tensor]:
        """Rank tokens.

        Args:
            logits: [B, N, classes] of the encoder's class head.
            valid: [B, N] float32.
            isolated: padded tokens are never chosen before real ones.

        Returns:
            [B, Q] int32 token indices, best first, and [B, Q] float32: 0 for a place that only
            padding could fill.
        """
        scores = logits[..., 0] if self.by_first_class else logits.max(axis=-1)  # [B, N]
        scores = ops.stop_gradient(scores)
        count = self.count(scores.shape[1])
        if not isolated:
            return self.top(scores, count)[1], ops.ones((scores.shape[0], count), ms.float32)
        scores = ops.select(valid > 0.5, scores, ops.full_like(scores, UNRANKED))
        real = places(count) < valid.sum(axis=1, keepdims=True).astype(ms.int32)
        return self.top(scores, count)[1], real.astype(ms.float32)

    def construct(self, memory: Tensor, grid: Grid, isolated: bool) -> Proposed:
        """Propose: [B, N, C] memory; ``isolated`` as for ``choose``."""
        projected = self.projection(memory, grid["usable"])
        logits = self.class_head(projected)
        chosen, real = self.choose(logits, grid["valid"], isolated)
        return {
            "projected": projected,
            "logits": logits,
            "box_logits": self.box_head(projected) + grid["proposals"],
            "chosen": chosen,
            "real": real,
        }


class ProposedQueries(nn.Cell):
    """Base of the sources whose queries are the best proposals.

    Args:
        proposals: of the memory.
    """

    def __init__(self, proposals: Proposals) -> None:
        super().__init__()
        self.proposals = proposals

    def count(self, tokens: int) -> int:
        """Number Q of queries, for N tokens."""
        return self.proposals.count(tokens)

    def choices(self, tokens: int) -> list[Choice]:
        """The ranking of the proposals."""
        return self.proposals.choices(tokens)
