"""Losses of the gathering decoder (DAC-DETR): one-to-many, and of its denoising slots."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.losses.denoising_losses import DenoisingLosses
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.set_losses import Losses
from focus_detr.models.denoising.slots import SlotLayout
from focus_detr.models.targets import Targets


class GatheringLosses(nn.Cell):
    """What the second decoder's layers are taught; they have no part in detection.

    Args:
        one_to_many: of its queries.
        denoising: of its slots; None if it has none.
        own_boxes: match by its own boxes, not by those of the one-to-one decoder.
        first_layer: whether its first layer has a one-to-many loss.
        share: what the one-to-many losses are multiplied by, besides the weights of their kinds.
    """

    def __init__(
        self,
        one_to_many: MatchedLosses,
        *,
        denoising: DenoisingLosses | None = None,
        own_boxes: bool = False,
        first_layer: bool = True,
        share: float = 1.0 / 3.0,
    ) -> None:
        super().__init__()
        self.one_to_many = one_to_many
        self.has_slots = denoising is not None
        if denoising is not None:
            self.denoising = denoising
        self.own_boxes = own_boxes
        self.first_layer = first_layer
        self.share = share

    def matched(
        self, logits: Tensor, boxes: Tensor, one_to_one_boxes: Tensor, targets: Targets
    ) -> tuple[Losses, Tensor]:
        """One-to-many sums of each layer that has them, and the matches [layers, B, T*k].

        Args:
            logits: [layers, B, Q, classes] of all its layers.
            boxes: [layers, B, Q, 4] cx, cy, w, h.
            one_to_one_boxes: [layers, B, Q, 4] of the other decoder.
            targets: of the batch.
        """
        if not self.first_layer:
            logits, boxes, one_to_one_boxes = logits[1:], boxes[1:], one_to_one_boxes[1:]
        seen = boxes if self.own_boxes else one_to_one_boxes
        return self.one_to_many(logits, boxes, targets["labels"], targets, seen)

    def denoised(
        self, logits: Tensor, boxes: Tensor, targets: Targets, layout: SlotLayout
    ) -> Losses:
        """Sums of each layer's slots: [layers, B, D, classes] and [layers, B, D, 4]."""
        return self.denoising(logits, boxes, targets, layout)
