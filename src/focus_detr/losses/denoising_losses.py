"""Losses of denoising slots, which know their target."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.losses.set_losses import Losses, SetLosses
from focus_detr.models.denoising.slots import SlotLayout
from focus_detr.models.targets import Targets


class DenoisingLosses(nn.Cell):
    """Positive slots against their box, the other live ones as background."""

    def __init__(self, set_losses: SetLosses) -> None:
        """Build it from the losses of single pairs."""
        super().__init__()
        self.set_losses = set_losses

    def construct(
        self, logits: Tensor, boxes: Tensor, targets: Targets, layout: SlotLayout
    ) -> Losses:
        """Sums of each head, divided by the number of groups.

        Args:
            logits: [H, B, D, classes].
            boxes: [H, B, D, 4] cx, cy, w, h.
            targets: of the batch.
            layout: of the D slots.
        """
        target, positive, groups = layout["target"], layout["positive"], layout["groups"]
        heads, batch, slots, _ = logits.shape
        index = ops.broadcast_to(ops.arange(slots).astype(ms.int32), (heads, batch, slots))
        slot_labels = ops.gather(targets["labels"], target, 1)  # [B, D]
        slot_boxes = ops.gather(targets["boxes"], target, 1)  # [B, D, 4]
        use = ops.gather(targets["valid"], target, 1) * positive  # [B, D]
        live = (layout["group"] >= 0).astype(ms.float32)  # [D]
        sums = self.set_losses(logits, boxes, index, slot_labels, slot_boxes, use, live)
        return sums[0] / groups, sums[1] / groups, sums[2] / groups
