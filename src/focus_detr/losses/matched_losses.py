"""Predictions matched with the targets, and compared with what they are matched with."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.pairs import for_pairs
from focus_detr.losses.set_losses import Losses, SetLosses
from focus_detr.models.targets import Targets


class MatchedLosses(nn.Cell):
    """Losses of heads that are matched with the targets, each head on its own."""

    def __init__(self, matcher: nn.Cell, set_losses: SetLosses) -> None:
        """Build it.

        Args:
            matcher: from ``build_matcher``, or one-to-many.
            set_losses: of as many pairs per box as the matcher makes.
        """
        super().__init__()
        self.matcher = matcher
        self.set_losses = set_losses
        self.per_box = set_losses.per_box

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        targets: Targets,
        matching_boxes: Tensor | None = None,
    ) -> tuple[Losses, Tensor]:
        """Sums of each head, and the matches [H, B, T*k] int32.

        Args:
            logits: [H, B, Q, classes].
            boxes: [H, B, Q, 4] cx, cy, w, h.
            labels: [B, T] int32, to be told.
            targets: of the batch.
            matching_boxes: [H, B, Q, 4] that the matcher sees instead.
        """
        seen = boxes if matching_boxes is None else matching_boxes
        fixed = ops.stop_gradient(logits), ops.stop_gradient(seen)
        matches = self.matcher(*fixed, labels, targets["boxes"], targets["valid"])
        matches = ops.stop_gradient(matches)
        return self.compare(logits, boxes, matches, labels, targets), matches

    def compare(
        self, logits: Tensor, boxes: Tensor, matches: Tensor, labels: Tensor, targets: Targets
    ) -> Losses:
        """Sums of each head for matches that are given; arguments as the others'."""
        live = ops.ones((logits.shape[2],), ms.float32)
        pairs = (
            for_pairs(labels, self.per_box),
            for_pairs(targets["boxes"], self.per_box),
            for_pairs(targets["valid"], self.per_box),
        )
        return self.set_losses(logits, boxes, matches, *pairs, live)
