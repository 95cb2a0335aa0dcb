"""Contrastive denoising (DINO): positives near a box, and negatives further off.

A group holds each image's boxes twice: M positives, then M negatives. As many groups are live as
``number`` allows.
"""

from __future__ import annotations

from typing import Any

from mindspore import Parameter, Tensor, ops

from focus_detr.models.denoising.queries import DenoisingQueries
from focus_detr.models.denoising.slots import KINDS, SlotLayout, lay_out, slot_count
from focus_detr.models.targets import Draws
from focus_detr.ops.slicing import part


def noised_corners(boxes: Tensor, shift: Tensor) -> Tensor:
    """Move the corners of boxes and keep them inside the image.

    Args:
        boxes: [..., 4] cx, cy, w, h, normalised.
        shift: [..., 4] for left, top, right, bottom, in halves of the width or height.

    Returns:
        [..., 4] cx, cy, w, h; the size is negative where corners crossed, as in the reference.
    """
    centre, half = part(boxes, -1, 0, 2), part(boxes, -1, 2, 4) * 0.5
    low = ops.clamp(centre - half + half * part(shift, -1, 0, 2), 0.0, 1.0)
    high = ops.clamp(centre + half + half * part(shift, -1, 2, 4), 0.0, 1.0)
    return ops.concat(((low + high) * 0.5, high - low), -1)


class ContrastiveQueries(DenoisingQueries):
    """Pairs of a positive and a negative query.

    Args:
        label_embed: as for ``DenoisingQueries``, as are the other arguments.
        number: wanted pairs per image, more than 0.
        label_noise: twice the probability that a slot's label is replaced.
        box_noise: scale of the corner shifts; 1 moves a positive by up to half its size.
    """

    def __init__(
        self,
        label_embed: Parameter,
        *,
        number: int = 100,
        label_noise: float = 0.5,
        box_noise: float = 1.0,
        **others: Any,
    ) -> None:
        super().__init__(
            label_embed, flip_probability=0.5 * label_noise, box_noise=box_noise, **others
        )
        self.number = number

    def layout(self, box_valid: Tensor) -> SlotLayout:
        """Say what each slot is for: [B, T] float32, 1 for real boxes, which come first."""
        largest = self.largest(box_valid)
        groups = ops.clamp(self.number // ops.clamp(largest, min=1), min=1)
        slots = slot_count("contrastive", self.number, box_valid.shape[1])
        return lay_out(largest, groups, KINDS, slots)

    def noised(self, boxes: Tensor, draws: Draws, layout: SlotLayout) -> Tensor:
        """Move the slots' boxes, negatives by half a size more: [B, D, 4] -> [B, D, 4]."""
        negative = (1.0 - layout["positive"]).reshape(1, -1, 1)  # [1, D, 1]
        shift = draws["sign"] * (draws["part"] + negative) * self.box_noise  # [B, D, 4]
        return noised_corners(boxes, shift)
