"""IoU-aware classification (Align-DETR, Cai et al. 2023): how good a pair is, is its target."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.boxes import EPS, corners, iou
from focus_detr.losses.focal import softplus

_LEAST_WEIGHT = 1e-12  # of a pair of high rank: its target stays above 0, which means background


class IouAwareCrossEntropy(nn.Cell):
    """Binary cross entropy with targets between 0 and 1, element by element.

    With x the logit, p its sigmoid and y the target, it is ``-y log p - (1 - y) log(1 - p)`` where
    y is above 0, and ``-p**gamma log(1 - p)`` at background, where y is 0. The logarithms are
    written as softplus, so that both stay finite. The factor ``p**gamma`` has a gradient too. The
    gradient is written out because that of ``softplus`` is 0 at 0.
    """

    def __init__(self, *, gamma: float = 2.0) -> None:
        """Build the loss.

        Args:
            gamma: power of the score at background, above 0.
        """
        super().__init__()
        self.gamma = gamma
        # the primitive: in a bprop, ops.zeros_like fails from the second compilation on (2.10)
        self.zeros = ops.ZerosLike()

    def _power(self, score: Tensor) -> Tensor:
        return ops.square(score) if self.gamma == 2.0 else ops.pow(score, self.gamma)

    def construct(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss per element.

        Args:
            logits: [...] float32.
            targets: [...] float32 in 0..1, 0 at background; no gradient flows to them.

        Returns:
            [...] float32.
        """
        missing = softplus(logits)  # -log(1 - p)
        background = self._power(ops.sigmoid(logits)) * missing
        return ops.select(targets > 0.0, missing - targets * logits, background)

    def bprop(self, logits: Tensor, targets: Tensor, out: Tensor, dout: Tensor) -> tuple:
        """Return the gradients for logits [...] and targets [...] (zero)."""
        score = ops.sigmoid(logits)
        rising = self.gamma * ops.sigmoid(-logits) * softplus(logits)
        background = self._power(score) * (rising + score)
        slope = ops.select(targets > 0.0, score - targets, background)
        return dout * slope, self.zeros(targets)


class PairQuality(nn.Cell):
    """How good each pair of a query and a box is, and how much it weighs among its box's pairs.

    The quality is ``score**alpha * IoU**(1 - alpha)``, at least ``floor``. Of the pairs of a box
    the best one weighs 1, and the one of rank r ``exp(-r / tau)``; of equal ones the first is
    better. Neither has a gradient.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.25,
        tau: float = 1.5,
        floor: float = 0.01,
        per_box: int = 1,
        iou_epsilon: float = EPS,
    ) -> None:
        """Build it.

        Args:
            alpha: power of the score, 0 to 1.
            tau: how many ranks make a pair weigh e times less, above 0.
            floor: smallest quality, above 0.
            per_box: pairs of a box, one after the other.
            iou_epsilon: as for ``iou``.
        """
        super().__init__()
        self.alpha = alpha
        self.tau = tau
        self.floor = floor
        self.per_box = per_box
        self.iou_epsilon = iou_epsilon

    def ranks(self, quality: Tensor, use: Tensor) -> Tensor:
        """Place of each pair among those of its box, the best first: [H, B, P] -> [H, B, P].

        Args:
            quality: [H, B, P].
            use: [H, B, P] float32, 0 for pairs that do not count.
        """
        used = ops.select(use > 0.0, quality, ops.full_like(quality, -1.0))
        grouped = used.reshape(-1, self.per_box)  # [H*B*T, k]
        others, own = grouped.expand_dims(1), grouped.expand_dims(2)  # [H*B*T, 1, k], [.., k, 1]
        order = ops.arange(self.per_box).astype(ms.int32)
        earlier = order.expand_dims(0) < order.expand_dims(1)  # [k, k]
        better = ops.logical_or(others > own, ops.logical_and(others == own, earlier))
        return better.astype(ms.float32).sum(2).reshape(quality.shape)  # [H*B*T, k] -> [H, B, P]

    def construct(
        self, logits: Tensor, boxes: Tensor, target_boxes: Tensor, use: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Quality and weight of the pairs, [H, B, P] each.

        Args:
            logits: [H, B, P] of each pair's class.
            boxes: [H, B, P, 4] cx, cy, w, h, predicted.
            target_boxes: [B, P, 4].
            use: [H, B, P] float32, 0 for pairs that do not count.
        """
        overlap = iou(corners(boxes), corners(target_boxes), self.iou_epsilon)  # [H, B, P]
        overlap = ops.clamp(overlap, 0.0, 1.0)
        quality = ops.pow(ops.sigmoid(logits), self.alpha) * ops.pow(overlap, 1.0 - self.alpha)
        quality = ops.stop_gradient(ops.clamp(quality, min=self.floor))
        if self.per_box == 1:
            return quality, ops.ones_like(quality)
        weight = ops.exp(-self.ranks(quality, use) / self.tau)
        return quality, ops.stop_gradient(ops.clamp(weight, min=_LEAST_WEIGHT))
