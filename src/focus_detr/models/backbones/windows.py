"""Swin's windows by reshapes and slices: padding, cyclic shift, cutting, and who sees whom.

Maps are [B, h, w, C] throughout. This is what runs where the fused operator of ``custom_ops`` does
not, and what is exported.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

APART = -100.0  # added to the logit of cells that the shift brings together from opposite sides


def distance_index(window: int) -> np.ndarray:
    """Row of the bias table for each pair of a window's cells: [N, N] int32, query by key."""
    row, column = np.divmod(np.arange(window * window), window)
    down = row[:, None] - row[None, :] + window - 1  # [N, N]
    right = column[:, None] - column[None, :] + window - 1
    return (down * (2 * window - 1) + right).astype(np.int32)


def padded_size(size: int, window: int) -> int:
    """The next multiple of the window."""
    return -(-size // window) * window


def pad_map(x: Tensor, rows: int, columns: int, filler: Tensor) -> Tensor:
    """Fill up right and below with one cell: [B, h, w, C] and [C] -> [B, rows, columns, C]."""
    batch, height, width, channels = x.shape
    filler = filler.reshape(1, 1, 1, channels)  # [1, 1, 1, C]
    if columns > width:
        right = ops.broadcast_to(filler, (batch, height, columns - width, channels))
        x = ops.concat((x, right), axis=2)
    if rows > height:
        below = ops.broadcast_to(filler, (batch, rows - height, columns, channels))
        x = ops.concat((x, below), axis=1)
    return x


def roll_map(x: Tensor, shift: int) -> Tensor:
    """Move all cells up and left by ``shift``, the first to the end: [B, h, w, C] to the same."""
    if shift == 0:
        return x
    x = ops.concat((x[:, shift:], x[:, :shift]), axis=1)
    return ops.concat((x[:, :, shift:], x[:, :, :shift]), axis=2)


def unroll_map(x: Tensor, shift: int) -> Tensor:
    """The inverse of ``roll_map``: [B, h, w, C] to the same."""
    if shift == 0:
        return x
    x = ops.concat((x[:, -shift:], x[:, :-shift]), axis=1)
    return ops.concat((x[:, :, -shift:], x[:, :, :-shift]), axis=2)


def cut_windows(x: Tensor, window: int) -> Tensor:
    """[B, h, w, C] -> [B*W, N, C]: the windows of each image row-major, and their cells."""
    batch, rows, columns, channels = x.shape
    down, across = rows // window, columns // window
    x = x.reshape(batch, down, window, across, window, channels)  # [B, h/w, w, w/w, w, C]
    x = x.transpose(0, 1, 3, 2, 4, 5)  # [B, h/w, w/w, w, w, C]
    return x.reshape(batch * down * across, window * window, channels)  # [B*W, N, C]


def merge_windows(x: Tensor, window: int, rows: int, columns: int) -> Tensor:
    """The inverse of ``cut_windows``: [B*W, N, C] -> [B, rows, columns, C]."""
    down, across, channels = rows // window, columns // window, x.shape[2]
    x = x.reshape(-1, down, across, window, window, channels)  # [B, h/w, w/w, w, w, C]
    x = x.transpose(0, 1, 3, 2, 4, 5)  # [B, h/w, w, w/w, w, C]
    return x.reshape(-1, rows, columns, channels)  # [B, h, w, C]


def shift_regions(size: int, window: int, shift: int, extents: Tensor) -> Tensor:
    """What lies together along one axis: [B, 1] real cells of each image -> [B, padded size].

    0 for the cells that the shift moves to the other end, 1 for the image's others up to the end of
    its last window, 2 beyond.
    """
    place = ops.arange(padded_size(size, window)).astype(ms.float32)[None, :]  # [1, h]
    end = ops.floor((extents + (window - 1)) / window) * window  # [B, 1]
    return (place >= shift).astype(ms.float32) + (place >= end).astype(ms.float32)  # [B, h]


def shift_mask(rows: int, columns: int, window: int, shift: int, extents: Tensor) -> Tensor:
    """What is added to the logits of shifted windows.

    Args:
        rows: h of the map.
        columns: w.
        window: cells along a side.
        shift: of the windows.
        extents: [B, 2] float32, rows and columns of each image inside the map.

    Returns:
        [B*W, 1, N, N] float32, 0 or ``APART``.
    """
    down = shift_regions(rows, window, shift, extents[:, 0:1])  # [B, h]
    right = shift_regions(columns, window, shift, extents[:, 1:2])  # [B, w]
    regions = down[:, :, None, None] * 3.0 + right[:, None, :, None]  # [B, h, w, 1]
    cells = cut_windows(roll_map(regions, shift), window)  # [B*W, N, 1]
    apart = ops.abs(cells - cells.swapaxes(1, 2))  # [B*W, N, N], 0 where they lie together
    return ops.clamp(apart, 0.0, 1.0)[:, None] * APART  # [B*W, 1, N, N]
