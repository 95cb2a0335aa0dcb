"""What pairs of a query and a box cost: class, L1 and generalized IoU losses."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.align import PairQuality
from focus_detr.losses.boxes import EPS, corners, generalized_iou
from focus_detr.losses.focal import SigmoidFocalLoss

Losses = tuple[Tensor, Tensor, Tensor]  # L1, class, generalized IoU; one value per head each


def last_of_equals(
    index: Tensor, labels: Tensor, use: Tensor, queries: int, per_box: int
) -> Tensor:
    """Of pairs with the same query and the same class, only the last box's: [H, B, P] float32.

    Args:
        index: [H, B, P] int32, query of each pair.
        labels: [B, P] int32.
        use: [H, B, P] float32, 1 for pairs that count; what is returned is at most this.
        queries: Q.
        per_box: pairs of each of T boxes, one after the other: P = T * per_box.
    """
    heads, batch, pairs = index.shape
    boxes = pairs // per_box
    of_boxes = labels.reshape(batch, boxes, per_box)[:, :, 0]  # [B, T]
    order = ops.arange(boxes).astype(ms.int32)
    same = of_boxes.expand_dims(2) == of_boxes.expand_dims(1)  # [B, T, T]
    later = ops.logical_and(same, order.expand_dims(0) > order.expand_dims(1))  # [B, T, T]
    row = ops.arange(pairs).astype(ms.int32) // per_box  # [P]
    place = row * queries + index  # [H, B, P]
    matched = ops.zeros((heads, batch, boxes * queries), ms.float32)
    matched = ops.tensor_scatter_elements(matched, place, use, axis=2, reduction="add")
    matched = matched.reshape(heads, batch, boxes, queries)  # [H, B, T*Q] -> [H, B, T, Q]
    again = ops.matmul(later.astype(ms.float32), matched)  # [H, B, T, Q]
    again = ops.gather_d(again.reshape(heads, batch, -1), 2, place)  # [H, B, T*Q] -> [H, B, P]
    return use * (again < 0.5).astype(ms.float32)


class SetLosses(nn.Cell):
    """Class, L1 and generalized IoU losses of several heads at once, unweighted.

    Built alone, it is the focal loss with targets of 1 and pairs that all weigh 1. With
    ``quality`` a pair's target is its weight times its quality, and its box losses count by the
    weight (Align-DETR).
    """

    def __init__(
        self,
        *,
        element_loss: nn.Cell | None = None,
        quality: PairQuality | None = None,
        per_box: int = 1,
        shared_queries: bool = False,
        giou_epsilon: float = EPS,
    ) -> None:
        """Build the loss.

        Args:
            element_loss: of logits and targets, element by element; None: the focal loss.
            quality: of the pairs, or None.
            per_box: pairs of a box, one after the other.
            shared_queries: whether a query may be in several pairs; of those of one class the last
                makes the target of the class.
            giou_epsilon: as for ``generalized_iou``.
        """
        super().__init__()
        self.element_loss = SigmoidFocalLoss() if element_loss is None else element_loss
        self.has_quality = quality is not None
        if quality is not None:
            self.quality = quality
        self.per_box = per_box
        self.shared_queries = shared_queries
        self.giou_epsilon = giou_epsilon

    def _class_targets(self, logits: Tensor, place: Tensor, amount: Tensor) -> Tensor:
        """Targets [H, B, S, classes]: the amounts [H, B, P] at their places, zero elsewhere."""
        heads, batch, queries, classes = logits.shape
        flat = ops.zeros((heads, batch, queries * classes), ms.float32)
        flat = ops.tensor_scatter_elements(flat, place, amount, axis=2, reduction="add")
        return flat.reshape(logits.shape)  # [H, B, S*classes] -> [H, B, S, classes]

    def _class_loss(self, logits: Tensor, targets: Tensor, live: Tensor) -> Tensor:
        """Summed loss per head: [H]."""
        heads, batch, queries, classes = logits.shape
        loss = self.element_loss(logits, targets).reshape(-1, classes)  # [H*B*S, classes]
        # as a product with ones: a sum over the last axis is 25 times slower on a CPU
        per_query = ops.matmul(loss, ops.ones((classes, 1), ms.float32))  # [H*B*S, 1]
        per_query = per_query.reshape(heads * batch, queries) * live  # [H*B, S]
        return per_query.reshape(heads, -1).sum(1)  # [H, B*S] -> [H]

    def _box_losses(
        self, chosen: Tensor, target_boxes: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Summed L1 and generalized IoU losses per head, of pairs [H, B, P, 4]: [H] each."""
        heads = chosen.shape[0]
        distance = ops.abs(chosen - target_boxes) * weight.expand_dims(3)  # [H, B, P, 4]
        sides = corners(chosen), corners(target_boxes)
        giou = generalized_iou(*sides, self.giou_epsilon)  # [H, B, P]
        missing = ((1.0 - giou) * weight).reshape(heads, -1)  # [H, B*P]
        distance = distance.reshape(heads, -1)  # [H, B*P*4]
        return distance.sum(1), missing.sum(1)

    def _by_quality(
        self, logits: Tensor, chosen: Tensor, place: Tensor, target_boxes: Tensor, use: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Class target and weight of every pair, [H, B, P] each."""
        heads, batch = logits.shape[:2]
        told = ops.stop_gradient(logits).reshape(heads, batch, -1)  # [H, B, S*classes]
        told = ops.gather_d(told, 2, place)  # [H, B, P]
        quality, weight = self.quality(told, ops.stop_gradient(chosen), target_boxes, use)
        weight = weight * use
        return quality * weight, weight

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        index: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        use: Tensor,
        live: Tensor,
    ) -> Losses:
        """Return the three sums per head, [H] each: L1, class, generalized IoU.

        Args:
            logits: [H, B, S, classes] of S queries or slots.
            boxes: [H, B, S, 4] cx, cy, w, h.
            index: [H, B, P] int32, query of each pair; below 0: none.
            labels: [B, P] int32.
            target_boxes: [B, P, 4] cx, cy, w, h.
            use: [B, P] float32, 1 for pairs that count.
            live: [S] float32, 1 for queries that count.
        """
        use = use * (index >= 0).astype(ms.float32)  # [H, B, P]
        index = ops.relu(index)
        place = index * logits.shape[3] + labels  # [H, B, P]
        rows = ops.broadcast_to(index.expand_dims(3), (*index.shape, 4))  # [H, B, P, 4]
        chosen = ops.gather_d(boxes, 2, rows)  # [H, B, P, 4]
        amount, weight = use, use
        if self.has_quality:
            amount, weight = self._by_quality(logits, chosen, place, target_boxes, use)
        if self.shared_queries:
            amount = amount * last_of_equals(index, labels, use, logits.shape[2], self.per_box)
        targets = self._class_targets(logits, place, amount)
        distance, missing = self._box_losses(chosen, target_boxes, weight)
        return distance, self._class_loss(logits, ops.stop_gradient(targets), live), missing
