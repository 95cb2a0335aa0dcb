"""How many tokens each encoder layer refines, and which (cascade of section 3.2)."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.models.tokens import TopScores


@constexpr
def kept_count(tokens: int, keep_ratio: float) -> int:
    """Tokens kept of ``tokens``: floor(tokens * keep_ratio) + 1 in float32, at most all of them."""
    return min(int(np.float32(tokens) * np.float32(keep_ratio)) + 1, tokens)


@constexpr
def layer_counts(kept: int, cascade: tuple[float, ...]) -> tuple[int, ...]:
    """Tokens that each layer refines: floor(share * kept) in float32, at least one."""
    return tuple(max(1, int(np.float32(share) * np.float32(kept))) for share in cascade)


class TokenRanking(nn.Cell):
    """Ranks tokens by foreground score and says how far down the list each layer goes.

    Shapes are static: the list is as long as an unpadded image needs. How many of it count is data:
    per image where images are isolated, otherwise (as in the reference) per batch with a second,
    per image limit on what is written back.
    """

    def __init__(self, *, keep_ratio: float, cascade: tuple[float, ...]) -> None:
        super().__init__()
        self.keep_ratio = keep_ratio
        self.cascade = tuple(cascade)
        self.shares = Tensor(self.cascade, ms.float32)
        self.top = TopScores()

    def static_length(self, tokens: int) -> int:
        """Length K of the whole list for N tokens."""
        return kept_count(tokens, self.keep_ratio)

    def static_counts(self, tokens: int) -> tuple[int, ...]:
        """Length of each layer's token list for N tokens."""
        return layer_counts(self.static_length(tokens), self.cascade)

    def mask_scores(self, scores: Tensor, valid: Tensor, isolated: bool) -> Tensor:
        """Push padded tokens to the end: [B, N] logits, [B, N] validity -> [B, N].

        The reference gives them the lowest score of the batch; isolated images have them below
        everything.
        """
        lowest = scores.min(axis=1, keepdims=True) - 1.0 if isolated else scores.min()  # [B, 1]
        return ops.select(valid > 0.5, scores, ops.broadcast_to(lowest, scores.shape))

    def construct(
        self, masked_scores: Tensor, valid: Tensor, isolated: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rank.

        Args:
            masked_scores: [B, N] from ``mask_scores``.
            valid: [B, N] float32.
            isolated: whether an image's result must not depend on padding.

        Returns:
            ranked [B, K] int32, token indices of the first layer, best first;
            limits [B, layers] int32, how many of the list take part in each layer;
            written [B, layers] int32, how many of the list each layer writes back.
        """
        length = self.static_length(valid.shape[1])
        _, ranked = self.top(ops.stop_gradient(masked_scores), length)  # [B, K]
        count = valid.sum(axis=1)  # [B]
        kept = ops.minimum(ops.floor(count * self.keep_ratio) + 1.0, count)  # [B]
        listed = kept if isolated else ops.broadcast_to(kept.max(), kept.shape)
        limits = ops.floor(listed[:, None] * self.shares[None, :])  # [B, layers]
        limits = ops.maximum(limits, 1.0)
        written = ops.minimum(limits, kept[:, None])
        return ranked, limits.astype(ms.int32), written.astype(ms.int32)
