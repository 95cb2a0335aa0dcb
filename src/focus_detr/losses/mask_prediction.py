"""Supervision of the Sparse selector by the decoder cross-attention map (Sparse DETR, section 3.2).

The tokens that the decoder's queries look at most are the positives of the selector's scores.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.focal import softplus
from focus_detr.models.selection.token_ranking import kept_count
from focus_detr.models.tokens import TopScores


class BinaryCrossEntropy(nn.Cell):
    """Binary cross entropy of logits, element by element, its gradient written out."""

    def __init__(self) -> None:
        super().__init__()
        # the primitive: in a bprop, ops.zeros_like fails from the second compilation on (2.10)
        self.zeros = ops.ZerosLike()

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """[...] float32 logits and targets in 0..1, which get no gradient -> [...]."""
        return softplus(logits) - logits * targets

    def bprop(self, logits: Tensor, targets: Tensor, out: Tensor, dout: Tensor) -> tuple:
        """Return the gradients for logits [...] and targets [...] (zero)."""
        return dout * (ops.sigmoid(logits) - targets), self.zeros(targets)


class MaskPredictionLoss(nn.Cell):
    """Binary cross entropy of the selector's scores against the most attended tokens."""

    def __init__(self, *, keep_ratio: float) -> None:
        """Build the loss.

        Args:
            keep_ratio: share of an image's tokens that are positive, as the selector keeps.
        """
        super().__init__()
        self.keep_ratio = keep_ratio
        self.top = TopScores()
        self.cross_entropy = BinaryCrossEntropy()

    def targets(self, attention_map: Tensor, valid: Tensor, kept: Tensor) -> Tensor:
        """Label the tokens.

        Where fewer tokens were attended than are to be positive, the rest of the positives are
        whichever the ranking takes first.

        Args:
            attention_map: [B, N] from ``decoder_attention_map``.
            valid: [B, N] float32, 0 at padding, which is never preferred.
            kept: [B] int32, positives of each image.

        Returns:
            [B, N] float32, 0 or 1.
        """
        lowest = ops.broadcast_to(attention_map.min() - 1.0, attention_map.shape)
        masked = ops.select(valid > 0.5, attention_map, lowest)
        count = kept_count(attention_map.shape[1], self.keep_ratio)
        _, ranked = self.top(masked, count)  # [B, K]
        positive = ops.arange(count).astype(ms.int32)[None, :] < kept[:, None]  # [B, K]
        empty = ops.zeros(attention_map.shape, ms.float32)
        return ops.tensor_scatter_elements(empty, ranked, positive.astype(ms.float32), axis=1)

    def construct(
        self, scores: Tensor, attention_map: Tensor, valid: Tensor, kept: Tensor
    ) -> Tensor:
        """Return the unweighted loss: the mean over all tokens, padded ones included, and images.

        Args:
            scores: [B, N] logits, those of padded tokens replaced as for the ranking.
            attention_map: [B, N] as the others in ``targets``.
            valid: [B, N].
            kept: [B].
        """
        targets = ops.stop_gradient(self.targets(attention_map, valid, kept))
        return self.cross_entropy(scores, targets).mean()
