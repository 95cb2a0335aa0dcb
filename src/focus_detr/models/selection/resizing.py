"""Bilinear resizing between the levels as matrices, corners aligned over the cells of the image."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from mindspore import Tensor, ops
from mindspore.ops import constexpr

from focus_detr.models.geometry import Shapes

Order = tuple[int, ...]  # levels, each resized to the next

_slice = ops.StridedSlice()  # brackets take longer to compile


def _axes(shapes: Shapes, order: Order) -> list[tuple[int, int, int, int]]:
    """Of each axis of each step: cells that are written and read, places of both extents.

    Rows come before columns; an extent's place is that of [L, 2 (columns, rows)], flattened.
    """
    return [
        (shapes[target][axis], shapes[source][axis], 2 * target + 1 - axis, 2 * source + 1 - axis)
        for source, target in pairwise(order)
        for axis in (0, 1)
    ]


@constexpr
def _lines(shapes: Shapes, order: Order) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Number [R], extents' places [R] twice of all lines that are written; all cells [M]."""
    axes = _axes(shapes, order)
    numbers = np.concatenate([np.arange(written) for written, *_ in axes])
    targets, sources = (
        np.repeat([axis[part] for axis in axes], [axis[0] for axis in axes]) for part in (2, 3)
    )
    cells = np.arange(max(read for _, read, _, _ in axes))
    return (
        Tensor(numbers.astype(np.float32)),
        Tensor(targets.astype(np.int32)),
        Tensor(sources.astype(np.int32)),
        Tensor(cells.astype(np.float32)),
    )


@constexpr
def _blocks(
    batch: int, shapes: Shapes, order: Order
) -> tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]:
    """Where the matrix of each axis of each step begins and ends among all lines: [B, R, M]."""
    axes = _axes(shapes, order)
    ends = np.cumsum([written for written, *_ in axes]).tolist()
    return tuple(
        ((0, end - written, 0), (batch, end, read))
        for end, (written, read, *_) in zip(ends, axes, strict=True)
    )


def resize_matrices(extents: Tensor, shapes: Shapes, order: Order) -> tuple[Tensor, ...]:
    """Matrices for images that fill a part of their grid, rows and columns of each step.

    Args:
        extents: [B, L, 2] (columns, rows) of each level that are image.
        shapes: (rows, columns) of each level.
        order: of the levels.

    Returns:
        Twice as many as steps, [B, written, read] each: row i holds the weights of the cells that
        are read for cell i.
    """
    numbers, targets, sources, cells = _lines(shapes, order)
    flat = extents.reshape(extents.shape[0], -1)  # [B, L*2]
    last_read = ops.gather(flat, sources, 1) - 1.0  # [B, R]
    last_written = ops.gather(flat, targets, 1) - 1.0  # [B, R]
    position = numbers * (last_read / ops.maximum(last_written, 1.0))
    position = ops.minimum(position, last_read)  # [B, R]
    weights = ops.relu(1.0 - ops.abs(position[:, :, None] - cells))  # [B, R, M]
    matrices = ()
    for begin, end in _blocks(weights.shape[0], shapes, order):
        matrices += (_slice(weights, begin, end, (1, 1, 1)),)
    return matrices


@constexpr
def full_matrices(batch: int, shapes: Shapes, order: Order) -> tuple[Tensor, ...]:
    """Those of ``resize_matrices`` for images that fill their grid, as constants."""
    matrices = []
    for written, read, _, _ in _axes(shapes, order):
        step = np.float32(read - 1) / np.float32(max(written - 1, 1))
        position = np.minimum(np.arange(written, dtype=np.float32) * step, np.float32(read - 1))
        weights = np.maximum(1 - np.abs(position[:, None] - np.arange(read, dtype=np.float32)), 0)
        matrices.append(np.broadcast_to(weights, (batch, written, read)).astype(np.float32))
    return tuple(Tensor(matrix) for matrix in matrices)
