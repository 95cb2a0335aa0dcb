"""One-to-many matching of the gathering decoder (DAC-DETR, Hu et al. 2023), all in the graph.

The score of a query for a box is ``(1 - share) * IoU + share * p``, with p the query's score of
the box's class. Two rules make pairs of the scores:

- paper: a query and a box are a pair if their score exceeds the threshold and is among the k
  highest of the box;
- released (the authors' code): a query's candidate is the box it has its highest score for. The
  queries whose highest score reaches the threshold, and the best query of every box, count for
  their candidates. A box that n queries count for gets its min(n, k) best queries, be it their
  candidate or not: a query may belong to several boxes, and a box whose best query prefers another
  box may get none.
"""

from __future__ import annotations

from typing import Literal

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.boxes import EPS, Corners, corners, iou
from focus_detr.losses.label_logits import logits_of_labels
from focus_detr.losses.pairs import with_width

Rule = Literal["released", "paper"]
_NEVER = -1.0  # below every score


def _wide(sides: Corners, shape: tuple[int, ...]) -> Corners:
    """Sides [H, B, 1, Q] or [1, B, T, 1] for all pairs: [H, B, T, Q] each."""
    left, top, right, bottom = sides
    return (
        ops.broadcast_to(left, shape),
        ops.broadcast_to(top, shape),
        ops.broadcast_to(right, shape),
        ops.broadcast_to(bottom, shape),
    )


class OneToManyMatcher(nn.Cell):
    """Up to k queries of each target; called as the matchers of ``losses.matcher``.

    The result is [H, B, T*k] int32: the queries of a target one after the other, best first, -1
    for none. No gradient flows to what it depends on.
    """

    def __init__(
        self,
        *,
        class_share: float = 0.3,
        threshold: float = 0.4,
        most: int = 6,
        cap: int | None = None,
        rule: Rule = "released",
        iou_epsilon: float = EPS,
    ) -> None:
        """Build the matcher.

        Args:
            class_share: of the class score in a pair's score, 0 to 1.
            threshold: that a score has to reach (released) or to exceed (paper).
            most: k.
            cap: of the released rule: so many queries of an image count, those of the highest
                scores; the released code draws 75 of them. None: all count.
            rule: "released" or "paper".
            iou_epsilon: as for ``iou``.
        """
        super().__init__()
        self.class_share = class_share
        self.threshold = threshold
        self.per_box = most
        self.cap = cap
        self.counts_candidates = rule == "released"
        self.iou_epsilon = iou_epsilon

    def scores(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, target_boxes: Tensor, valid: Tensor
    ) -> Tensor:
        """Score of every query for every target, -1 at padding: [H, B, T, Q]."""
        class_scores = ops.sigmoid(logits_of_labels(logits, labels))  # [H, B, T, Q]
        # wide before they are compared: minimum and maximum of two shapes are 40 times slower (CPU)
        seen = _wide(corners(boxes.expand_dims(2)), class_scores.shape)
        wanted = _wide(corners(target_boxes.expand_dims(2).expand_dims(0)), class_scores.shape)
        overlap = iou(seen, wanted, self.iou_epsilon)  # [H, B, T, Q]
        score = (1.0 - self.class_share) * overlap + self.class_share * class_scores
        real = ops.broadcast_to(valid[None, :, :, None] > 0.0, score.shape)
        return ops.select(real, score, ops.full_like(score, _NEVER))

    def _capped(self, positive: Tensor, highest: Tensor) -> Tensor:
        """Leave the positive queries of the highest numbers: [H, B, Q] float32 each."""
        count = min(self.cap, positive.shape[2])
        ranked = ops.select(positive > 0.0, highest, ops.full_like(highest, _NEVER))
        _, kept = ops.topk(ranked, count)  # [H, B, cap]
        one = ops.ones(kept.shape, ms.float32)
        stays = ops.zeros(positive.shape, ms.float32)
        stays = ops.tensor_scatter_elements(stays, kept.astype(ms.int32), one, axis=2)
        return positive * stays

    def candidates(
        self, score: Tensor, valid: Tensor, priority: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Best target of each query and whether it counts for it: [H, B, Q] int32 and float32.

        Args:
            score: [H, B, T, Q].
            valid: [B, T].
            priority: [H, B, Q], at least 0: a cap keeps the highest; None: the highest scores.
        """
        highest = score.max(axis=2)  # [H, B, Q]
        candidate = ops.argmax(score, 2).astype(ms.int32)  # [H, B, Q]
        best_query = ops.argmax(score, 3).astype(ms.int32)  # [H, B, T]
        real = ops.broadcast_to(valid, best_query.shape)  # [H, B, T]
        chosen = ops.zeros(highest.shape, ms.float32)
        chosen = ops.tensor_scatter_elements(chosen, best_query, real, axis=2, reduction="add")
        counts = ops.logical_or(highest >= self.threshold, chosen > 0.0).astype(ms.float32)
        if self.cap is not None:
            counts = self._capped(counts, highest if priority is None else priority)
        return candidate, counts

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        box_valid: Tensor,
        priority: Tensor | None = None,
    ) -> Tensor:
        """Match.

        Args:
            logits: [H, B, Q, classes].
            boxes: [H, B, Q, 4] cx, cy, w, h.
            labels: [B, T] int32.
            target_boxes: [B, T, 4] cx, cy, w, h.
            box_valid: [B, T] float32.
            priority: as for ``candidates``.
        """
        score = self.scores(logits, boxes, labels, target_boxes, box_valid)
        heads, batch, targets, queries = score.shape
        width = min(self.per_box, queries)
        values, ranked = ops.topk(score, width)  # [H, B, T, k]
        ranked = ranked.astype(ms.int32)
        if self.counts_candidates:
            candidate, counts = self.candidates(score, box_valid, priority)
            number = ops.zeros((heads, batch, targets), ms.float32)
            number = ops.tensor_scatter_elements(number, candidate, counts, axis=2, reduction="add")
            number = (number * box_valid).expand_dims(3)  # [H, B, T, 1]
            matched = ops.arange(width).astype(ms.float32) < number  # [H, B, T, k]
        else:
            matched = values > self.threshold
        ranked = ops.select(matched, ranked, ops.full_like(ranked, -1))
        ranked = ranked.reshape(heads, batch, -1)  # [H, B, T, k] -> [H, B, T*k]
        return with_width(ranked, self.per_box, targets)
