"""Denoising queries in their slots; what kinds there are differ in layout and noise only."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.models.box_math import box_sigmoid, inverse_sigmoid
from focus_detr.models.denoising.slots import DenoisingInput, SlotLayout, attention_mask, embed
from focus_detr.models.targets import Draws, Targets


class DenoisingQueries(nn.Cell):
    """Base of the kinds of denoising: fills the slots of a batch from targets and random draws.

    Args:
        label_embed: [rows, C], content of each label; one channel narrower than the queries if
            these have a channel that marks denoising.
        flip_probability: that a slot's label is replaced.
        box_noise: scale of the shifts.
        marked: whether a last channel with 1 marks filled slots.
        epsilon: of the inverse sigmoid.
        reduce_largest: [] int32 -> [] int32, the largest number of boxes of an image over all
            workers, so that all of them lay the slots out alike; None with one worker.
    """

    def __init__(
        self,
        label_embed: Parameter,
        *,
        flip_probability: float,
        box_noise: float,
        marked: bool = False,
        epsilon: float = 1e-3,
        reduce_largest: nn.Cell | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.label_embed = label_embed
        self.flip_probability = flip_probability
        self.box_noise = box_noise
        self.marked = marked
        self.epsilon = epsilon
        self.reduce_largest = reduce_largest

    def largest(self, box_valid: Tensor) -> Tensor:
        """M, the largest number of boxes of an image: [B, T] -> [] int32."""
        largest = box_valid.sum(1).max().astype(ms.int32)
        return largest if self.reduce_largest is None else self.reduce_largest(largest)

    def layout(self, box_valid: Tensor) -> SlotLayout:
        """Say what each slot is for: [B, T] float32, 1 for real boxes, which come first."""
        raise NotImplementedError

    def noised(self, boxes: Tensor, draws: Draws, layout: SlotLayout) -> Tensor:
        """Move the slots' boxes: [B, D, 4] -> [B, D, 4], cx cy w h."""
        raise NotImplementedError

    def fill(self, targets: Targets, draws: Draws) -> tuple[Tensor, Tensor, Tensor, SlotLayout]:
        """Labels and boxes of the slots.

        Returns:
            Labels [B, D] int32, boxes [B, D, 4] before the sigmoid (0 in empty slots), 1 for
            filled slots [B, D] float32, and the layout of the slots.
        """
        layout = self.layout(targets["valid"])
        live = (layout["group"] >= 0).astype(ms.float32)  # [D]
        slot_valid = ops.gather(targets["valid"], layout["target"], 1) * live  # [B, D]
        labels = ops.gather(targets["labels"], layout["target"], 1)  # [B, D]
        labels = ops.select(draws["uniform"] < self.flip_probability, draws["new_label"], labels)
        boxes = ops.gather(targets["boxes"], layout["target"], 1)  # [B, D, 4]
        boxes = inverse_sigmoid(self.noised(boxes, draws, layout), self.epsilon)
        return labels, boxes * slot_valid.expand_dims(2), slot_valid, layout

    def construct(
        self, targets: Targets, draws: Draws, queries: int
    ) -> tuple[DenoisingInput, SlotLayout]:
        """Make the denoising queries of a batch.

        Args:
            targets: of the batch.
            draws: of its noise.
            queries: number Q of matching queries.
        """
        labels, boxes, slot_valid, layout = self.fill(targets, draws)
        content = embed(labels, slot_valid, self.label_embed)  # [B, D, C or C-1]
        if self.marked:
            content = ops.concat((content, slot_valid[..., None]), axis=-1)  # [B, D, C]
        return {
            "content": content,
            "references": box_sigmoid(boxes),
            "blocked": attention_mask(layout["group"], queries),
        }, layout
