"""Foreground labels of tokens and the loss of the foreground selector.

A token is foreground if it lies inside some box whose extent, seen from the token, suits the
token's level. Both tests treat rows and columns alike, so "inside and within r" is a product of a
row mask and a column mask, and counting the boxes that pass for every token is one matrix product
per level instead of a comparison of every token with every box.
"""

from __future__ import annotations

from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.losses.boxes import cxcywh_to_xyxy
from focus_detr.losses.focal import SigmoidFocalLoss
from focus_detr.models.geometry import first_stride
from focus_detr.ops.slicing import part

Intervals = tuple[tuple[float, float], ...]


@constexpr
def _lines(cells: tuple[int, ...]) -> Tensor:
    """Centres of the rows or columns of all levels, one after the other: [R] float32, pixels."""
    strides = first_stride(len(cells)) * 2 ** np.arange(len(cells))
    return Tensor(
        np.concatenate(
            [
                np.arange(count) * stride + stride // 2
                for count, stride in zip(cells, strides, strict=True)
            ]
        ).astype(np.float32)
    )


@constexpr
def _limits(cells: tuple[int, ...], intervals: Intervals, end: int) -> Tensor:
    """Where the interval of each row or column begins (``end`` 0) or ends (1): [R] float32."""
    limits = np.array([interval[end] for interval in intervals], np.float32)
    return Tensor(np.repeat(limits, cells))


@constexpr
def _ranges(cells: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """First of the rows or columns of each level among those of all, and end."""
    ends = np.cumsum(cells).tolist()
    return tuple((end - count, end) for end, count in zip(ends, cells, strict=True))


@constexpr
def _cells(pixels: int, levels: int) -> tuple[int, ...]:
    """Rows or columns of each level."""
    return tuple(-(-pixels // (first_stride(levels) * 2**level)) for level in range(levels))


def _axis_masks(
    low: Tensor,
    high: Tensor,
    valid: Tensor,
    cells: tuple[int, ...],
    intervals: Intervals,
    centre: bool,
) -> tuple[Tensor, Tensor]:
    """Cells of one axis that lie strictly inside each box and within a distance.

    All levels at once, as each operation takes time to compile.

    Args:
        low: [B, T] start of the boxes along the axis, pixels.
        high: [B, T] end of the boxes.
        valid: [B, T] float32, 1 for real boxes.
        cells: how many cells each level has along the axis, R together.
        intervals: (shorter, longer] distances of each level, pixels.
        centre: distance to the box's centre instead of its farther side.

    Returns:
        [B, T, R] float32, 0 or 1, twice: within the shorter distance, and within the longer one.
    """
    position, valid = _lines(cells), valid.expand_dims(2)
    before = position - low.expand_dims(2)  # [B, T, R]
    after = high.expand_dims(2) - position  # [B, T, R]
    if centre:
        distance = ops.abs(position - ((low + high) * 0.5).expand_dims(2))
    else:
        distance = ops.maximum(before, after)
    inside = ops.logical_and(before > 0, after > 0)
    near = ops.logical_and(inside, distance <= _limits(cells, intervals, 0))
    within = ops.logical_and(inside, distance <= _limits(cells, intervals, 1))
    return near.astype(ms.float32) * valid, within.astype(ms.float32) * valid


def _count_boxes(
    rows: Tensor, columns: Tensor, of_rows: tuple[int, int], of_columns: tuple[int, int]
) -> Tensor:
    """Boxes around each token of a level, whose lines are of these ranges: [B, h, w]."""
    own_rows = part(rows, 2, of_rows[0], of_rows[1])  # [B, T, h]
    own_columns = part(columns, 2, of_columns[0], of_columns[1])  # [B, T, w]
    return ops.matmul(own_rows.swapaxes(1, 2), own_columns)  # [B, h, T] x [B, T, w]


def foreground_targets(
    boxes: Tensor,
    box_valid: Tensor,
    height: int,
    width: int,
    intervals: Intervals,
    *,
    centre: bool = False,
) -> Tensor:
    """Label every token of every level.

    A token of a level with interval (low, high] is foreground if it lies strictly inside a real
    box and its distance is in the interval: to the box's farthest side, or to its centre (the
    larger of the two axes) with ``centre``.

    Args:
        boxes: [B, T, 4] left, top, right, bottom in pixels.
        box_valid: [B, T] float32, 1 for real boxes.
        height: of the padded image, pixels.
        width: of the padded image, pixels.
        intervals: one per level, strides 8, 16, 32, ...; with five levels from 4 on
        centre: measure to the centre.

    Returns:
        [B, N] float32, 1 for foreground; levels one after the other, row by row.
    """
    cells = _cells(height, len(intervals)), _cells(width, len(intervals))
    near_rows, rows = _axis_masks(
        boxes[..., 1], boxes[..., 3], box_valid, cells[0], intervals, centre
    )
    near_columns, columns = _axis_masks(
        boxes[..., 0], boxes[..., 2], box_valid, cells[1], intervals, centre
    )
    targets, of_rows, of_columns = (), _ranges(cells[0]), _ranges(cells[1])
    for level, (low, _) in enumerate(intervals):
        count = _count_boxes(rows, columns, of_rows[level], of_columns[level])
        if low >= 0:
            near = _count_boxes(near_rows, near_columns, of_rows[level], of_columns[level])
            count = count - near
        targets += (count.reshape(count.shape[0], -1),)  # [B, h * w]
    return (ops.concat(targets, 1) > 0.5).astype(ms.float32)


class ForegroundLoss(nn.Cell):
    """Focal loss of the token scores; padded tokens count as background, as in the reference."""

    def __init__(
        self,
        *,
        intervals: Intervals,
        distance: Literal["sides", "centre"] = "sides",
        normaliser: Literal["positives", "none"] = "positives",
    ) -> None:
        """Build the loss.

        Args:
            intervals: (low, high] in pixels per level, strides 8, 16, 32, ...
            distance: ``sides``: farthest side of the box; ``centre``: its centre.
            normaliser: ``positives``: an image's sum is divided by its foreground tokens (at
                least 1); ``none``: the sum itself (equation 7 of the paper).
        """
        super().__init__()
        self.intervals = intervals
        self.centre = distance == "centre"
        self.per_positive = normaliser == "positives"
        self.focal = SigmoidFocalLoss()

    def labels(
        self, boxes: Tensor, box_valid: Tensor, image_sizes: Tensor, height: int, width: int
    ) -> Tensor:
        """Foreground labels [B, N] from normalised boxes; arguments as in ``construct``."""
        scale = image_sizes.astype(ms.float32).flip((1,))  # [B, 2] width, height
        scale = ops.concat((scale, scale), 1).expand_dims(1)  # [B, 1, 4]
        corners = cxcywh_to_xyxy(boxes * scale)  # [B, T, 4] pixels
        return foreground_targets(
            corners, box_valid, height, width, self.intervals, centre=self.centre
        )

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Loss of scores [B, N] against labels [B, N]: the mean over the images, a scalar."""
        total = self.focal(scores, targets).sum(1)  # [B]
        if self.per_positive:
            total = total / ops.clamp(targets.sum(1), min=1.0)
        return total.mean()

    def construct(
        self,
        scores: Tensor,
        boxes: Tensor,
        box_valid: Tensor,
        image_sizes: Tensor,
        height: int,
        width: int,
    ) -> Tensor:
        """Return the unweighted loss.

        Args:
            scores: [B, N] logits of all levels.
            boxes: [B, T, 4] cx, cy, w, h over each image's own size.
            box_valid: [B, T] float32, 1 for real boxes.
            image_sizes: [B, 2] (height, width) of each image inside the padding.
            height: of the padded images, pixels.
            width: of the padded images, pixels.
        """
        targets = self.labels(boxes, box_valid, image_sizes, height, width)
        return self.loss(scores, ops.stop_gradient(targets))
