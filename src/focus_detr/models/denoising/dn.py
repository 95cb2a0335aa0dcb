"""Denoising of DN-DETR: a fixed number of groups, each with a noised copy of every box."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, ops

from focus_detr.models.denoising.queries import DenoisingQueries
from focus_detr.models.denoising.slots import SlotLayout, lay_out, slot_count
from focus_detr.models.targets import Draws


def noised_boxes(boxes: Tensor, shift: Tensor) -> Tensor:
    """Move centres and change sizes, each number kept within 0..1.

    Args:
        boxes: [..., 4] cx, cy, w, h, normalised.
        shift: [..., 4]: of the centre in halves of the size, of the size in whole ones.

    Returns:
        [..., 4] cx, cy, w, h.
    """
    size = boxes[..., 2:]
    extent = ops.concat((size * 0.5, size), -1)
    return ops.clamp(boxes + shift * extent, 0.0, 1.0)


class DnQueries(DenoisingQueries):
    """Groups of one query for each box.

    Args:
        label_embed: as for ``DenoisingQueries``, as are the other arguments.
        groups: how many, more than 0.
        label_noise: probability that a slot's label is replaced.
        box_noise: largest shift, in halves of the size for the centre, in sizes for the size.
    """

    def __init__(
        self,
        label_embed: Parameter,
        *,
        groups: int = 5,
        label_noise: float = 0.2,
        box_noise: float = 0.4,
        **others: Any,
    ) -> None:
        super().__init__(label_embed, flip_probability=label_noise, box_noise=box_noise, **others)
        self.groups = groups

    def layout(self, box_valid: Tensor) -> SlotLayout:
        """Say what each slot is for: [B, T] float32, 1 for real boxes, which come first."""
        largest = self.largest(box_valid)
        groups = ops.full_like(largest, self.groups).astype(ms.int32)
        return lay_out(largest, groups, 1, slot_count("dn", self.groups, box_valid.shape[1]))

    def noised(self, boxes: Tensor, draws: Draws, layout: SlotLayout) -> Tensor:
        """Move the slots' boxes: [B, D, 4] -> [B, D, 4]."""
        return noised_boxes(boxes, draws["sign"] * draws["part"] * self.box_noise)
