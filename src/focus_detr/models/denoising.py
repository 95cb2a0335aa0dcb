"""Contrastive denoising queries (DINO): noised copies of the targets that the decoder must repair.

With M the largest number of boxes of an image in the batch, groups of 2M slots hold each image's
boxes twice: M positives near the box, then M negatives further off. As many groups are live as
``number`` allows. M depends on the batch but the D slots do not, so what lies beyond the last group
is dead: nobody sees it and no loss counts it.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import inverse_sigmoid

# group [D] int32, negative for dead slots; target [D] int32, place of the slot's box among the
# image's targets; positive [D] float32, 1 for live positives; groups: float32 scalar
SlotLayout = tuple[Tensor, Tensor, Tensor, Tensor]


def denoising_slots(number: int, targets: int) -> int:
    """Slots D that hold every batch with up to ``targets`` padded targets; 0 without denoising."""
    return 2 * max(number, targets) if number > 0 else 0


def slot_layout(
    box_valid: Tensor, number: int, reduce_largest: nn.Cell | None = None
) -> SlotLayout:
    """Say what each slot is for.

    Args:
        box_valid: [B, T] float32, 1 for real boxes, which come first.
        number: wanted pairs of positive and negative queries per image, more than 0.
        reduce_largest: as for ``DenoisingQueries``.

    Returns:
        group, target, positive and groups as described at ``SlotLayout``.
    """
    slots = denoising_slots(number, box_valid.shape[1])
    largest = box_valid.sum(1).max().astype(ms.int32)
    if reduce_largest is not None:
        largest = reduce_largest(largest)
    period = ops.clamp(largest, min=1)  # without any box: no live slot, but no division by 0
    groups = ops.clamp(number // period, min=1)
    slot = ops.arange(slots).astype(ms.int32)
    live = slot < 2 * largest * groups
    place = slot % (2 * period)
    group = ops.select(live, slot // (2 * period), -1 - slot)
    positive = ops.logical_and(live, place < period).astype(ms.float32)
    return group, place % period, positive, groups.astype(ms.float32)


def attention_mask(group: Tensor, queries: int) -> Tensor:
    """Who must not see whom in the decoder's self attention.

    Matching queries see each other; a live slot sees its group and all matching queries; a dead
    slot sees itself only, so that its softmax has something to sum.

    Args:
        group: [D] int32, negative and different for dead slots.
        queries: number Q of matching queries.

    Returns:
        [D + Q, D + Q] bool, true where the row's query must not see the column's.
    """
    slots = group.shape[0]
    matching = ops.full((queries,), slots, dtype=ms.int32)  # a group number that no slot has
    code = ops.concat((group, matching))  # [D + Q]
    same = code.expand_dims(1) == code.expand_dims(0)  # [D + Q, D + Q]
    sees_matching = ops.logical_and((code >= 0).expand_dims(1), (code == slots).expand_dims(0))
    return ops.logical_not(ops.logical_or(same, sees_matching))


def embed(labels: Tensor, slot_valid: Tensor, table: Tensor) -> Tensor:
    """Content of the slots.

    Args:
        labels: [B, D] int32.
        slot_valid: [B, D] float32; slots with 0 stay empty.
        table: [num_classes, C] label embedding.

    Returns:
        [B, D, C].
    """
    content = ops.gather(table, labels, 0)  # [B, D, C]
    return content * slot_valid.expand_dims(2)


def noised_boxes(boxes: Tensor, shift: Tensor) -> Tensor:
    """Move the corners of boxes and keep them inside the image.

    Args:
        boxes: [..., 4] cx, cy, w, h, normalised.
        shift: [..., 4] for left, top, right, bottom, in halves of the width or height.

    Returns:
        [..., 4] cx, cy, w, h; the size is negative where corners crossed, as in the reference.
    """
    centre, half = boxes[..., :2], boxes[..., 2:] * 0.5
    low = ops.clamp(centre - half + half * shift[..., :2], 0.0, 1.0)
    high = ops.clamp(centre + half + half * shift[..., 2:], 0.0, 1.0)
    return ops.concat(((low + high) * 0.5, high - low), -1)


class DenoisingQueries(nn.Cell):
    """Builds the slots of a batch from its targets and random draws; it has no weights."""

    def __init__(
        self,
        *,
        number: int = 100,
        label_noise: float = 0.5,
        box_noise: float = 1.0,
        reduce_largest: nn.Cell | None = None,
    ) -> None:
        """Build the cell.

        Args:
            number: wanted pairs of positive and negative queries per image, more than 0.
            label_noise: twice the probability that a slot's label is replaced.
            box_noise: scale of the corner shifts; 1 moves a positive by up to half its size.
            reduce_largest: [] int32 -> [] int32, the largest number of boxes of an image over all
                workers, so that all of them lay the slots out alike; None with one worker.
        """
        super().__init__()
        self.number = number
        self.flip_probability = 0.5 * label_noise
        self.box_noise = box_noise
        self.reduce_largest = reduce_largest

    def construct(
        self,
        boxes: Tensor,
        labels: Tensor,
        box_valid: Tensor,
        uniform: Tensor,
        new_label: Tensor,
        sign: Tensor,
        part: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, SlotLayout]:
        """Fill the slots; the draws come from ``focus_detr.data.noise``.

        Args:
            boxes: [B, T, 4] cx, cy, w, h, normalised.
            labels: [B, T] int32.
            box_valid: [B, T] float32, 1 for real boxes, which come first.
            uniform: [B, D] in [0, 1), decides about the label.
            new_label: [B, D] int32, the label that replaces.
            sign: [B, D, 4] -1 or 1.
            part: [B, D, 4] in [0, 1); negatives move by one half size more.

        Returns:
            Labels [B, D] int32, boxes [B, D, 4] before the sigmoid (0 in empty slots), 1 for
            filled slots [B, D] float32, and the layout of the slots.
        """
        layout = slot_layout(box_valid, self.number, self.reduce_largest)
        group, target, positive, _ = layout
        live = (group >= 0).astype(ms.float32)  # [D]
        slot_valid = ops.gather(box_valid, target, 1) * live  # [B, D]
        slot_labels = ops.gather(labels, target, 1)  # [B, D]
        slot_labels = ops.select(uniform < self.flip_probability, new_label, slot_labels)
        negative = (1.0 - positive).reshape(1, -1, 1)  # [1, D, 1]
        shift = sign * (part + negative) * self.box_noise  # [B, D, 4]
        slot_boxes = ops.gather(boxes, target, 1)  # [B, D, 4]
        slot_boxes = inverse_sigmoid(noised_boxes(slot_boxes, shift))
        return slot_labels, slot_boxes * slot_valid.expand_dims(2), slot_valid, layout
