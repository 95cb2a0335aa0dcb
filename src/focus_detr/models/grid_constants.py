"""Constants of the grid, worked out on the host while a graph is compiled.

Tokens are level-major and row-major; pairs are (column, row) or (x, y) unless they say otherwise.
"""

from __future__ import annotations

import math

import numpy as np
from mindspore import Tensor
from mindspore.ops import constexpr

from focus_detr.models.geometry import BORDER, PROPOSAL_SIZE, Shapes, first_stride
from focus_detr.models.positions import frequencies

OUTSIDE = 1e4  # logit of an unusable proposal's coordinates; sigmoid(1e4) is 1 as for infinity
_NEVER = 1e9  # pixel that no image reaches


def _cells(shapes: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """(column, row) of each token [N, 2] float32, and its level [N] int32."""
    grids = [np.indices(shape).reshape(2, -1)[::-1].T for shape in shapes]  # [h*w, 2] each
    levels = np.repeat(np.arange(len(shapes)), [len(grid) for grid in grids])
    return np.concatenate(grids).astype(np.float32), levels.astype(np.int32)


def _sizes(shapes: Shapes) -> np.ndarray:
    """(columns, rows) of each level: [L, 2] float32."""
    return np.array(shapes, np.float32)[:, ::-1].copy()


def _sides(shapes: Shapes) -> np.ndarray:
    """Side of each token's proposal, in units of the image: [N] float32."""
    levels = _cells(shapes)[1]
    return (PROPOSAL_SIZE * 2.0**levels).astype(np.float32)


def _logits(shares: np.ndarray) -> np.ndarray:
    """Logits of numbers in 0..1: any shape."""
    inside = np.clip(shares.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(inside / (1.0 - inside)).astype(np.float32)


@constexpr
def token_cells(shapes: Shapes) -> tuple[Tensor, Tensor]:
    """(column, row) of each token and of its centre, in cells: [N, 2] float32 both."""
    cells = _cells(shapes)[0]
    return Tensor(cells), Tensor(cells + np.float32(0.5))


@constexpr
def token_levels(shapes: Shapes) -> tuple[Tensor, Tensor]:
    """Each token's level [N] int32, and (columns, rows) of each level [L, 2] float32."""
    return Tensor(_cells(shapes)[1]), Tensor(_sizes(shapes))


@constexpr
def proposal_constants(shapes: Shapes) -> tuple[Tensor, Tensor, Tensor]:
    """What each token's proposal is, whatever the image.

    Returns:
        [N, 2]: its centre in hundredths of cells; [N, 2]: logits of its width and height; [N]: 1
        where these may be used.
    """
    cells, sides = _cells(shapes)[0], _sides(shapes)
    usable = (sides > BORDER) & (sides < 1 - BORDER)
    logits = np.stack([_logits(sides)] * 2, -1)
    return Tensor(cells * 100 + 50), Tensor(logits), Tensor(usable.astype(np.float32))


@constexpr
def cell_limits(shapes: Shapes, padded: tuple[int, int], padding: str) -> tuple[Tensor, Tensor]:
    """When a cell is image: if its limit is below the image's pixels times the level's factor.

    "partial": cell i of c looks at pixel floor(i * padded / c), which is below the size s if
    i * padded < s * c. "full": cell i begins at pixel i * stride.

    Returns:
        [L, 2, most cells] limits along columns and rows, and [L, 2] factors.
    """
    sizes = _sizes(shapes)  # [L, 2]
    index = np.arange(int(sizes.max()), dtype=np.float32)
    if padding == "partial":
        step, factors = np.array(padded[::-1], np.float32)[None].repeat(len(shapes), 0), sizes
    else:
        strides = first_stride(len(shapes)) * 2.0 ** np.arange(len(shapes))
        step, factors = strides[:, None].repeat(2, 1), np.ones_like(sizes)
    limits = index * step[..., None]
    limits = np.where(index < sizes[..., None], limits, _NEVER)
    return Tensor(limits.astype(np.float32)), Tensor(factors)


def _lines(shapes: Shapes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``position_lines`` as arrays."""
    counts: list[np.ndarray] = []
    slots: list[np.ndarray] = []
    first = []
    start = 0
    for level, (rows, columns) in enumerate(shapes):
        counts += [np.arange(1, rows + 1), np.arange(1, columns + 1)]
        slots += [np.full(rows, 2 * level + 1), np.full(columns, 2 * level)]
        first.append((start, start + rows))
        start += rows + columns
    counts.append(np.zeros(1))
    slots.append(np.full(1, 2 * len(shapes)))
    cells, levels = _cells(shapes)
    lines = np.array(first)[levels] + cells[:, ::-1]  # [N, 2]
    arrays = np.concatenate(counts).astype(np.float32), np.concatenate(slots).astype(np.int32)
    return *arrays, lines.astype(np.int32)


@constexpr
def position_lines(shapes: Shapes) -> tuple[Tensor, Tensor, Tensor]:
    """All rows and columns of all levels, and one more that stands for padding.

    Returns:
        [R] float32: the line's number within its level, from 1; the last one's is 0.
        [R] int32: which of the extents [L * 2 (columns, rows)] is its total; the last: L * 2.
        [N, 2] int32: the lines of each token's row and column.
    """
    counts, slots, lines = _lines(shapes)
    return Tensor(counts), Tensor(slots), Tensor(lines)


@constexpr
def full_table(shapes: Shapes, width: int, temperature: float, offset: float) -> Tensor:
    """Embedding of all lines of images without padding: [R, C/2]."""
    counts, slots, _ = _lines(shapes)
    totals = np.append(_sizes(shapes).reshape(-1), np.float32(0))[slots]  # [R]
    share = (counts + np.float32(offset)) / (totals + np.float32(1e-6)) * np.float32(2 * math.pi)
    angle = share[:, None] / frequencies(width // 2, temperature)  # [R, C/4]
    pairs = np.stack((np.sin(angle), np.cos(angle)), -1)  # [R, C/4, 2]
    return Tensor(pairs.reshape(len(counts), -1).astype(np.float32))


@constexpr
def full_grid(batch: int, shapes: Shapes) -> tuple[Tensor, ...]:
    """The grid of images without padding, but for the positions.

    Returns:
        As in ``Grid``: extents, valid, ratios, references, proposals, usable.
    """
    sizes = _sizes(shapes)  # [L, 2]
    cells, levels = _cells(shapes)  # [N, 2], [N]
    extent = sizes[levels]  # [N, 2]
    centres = (cells + np.float32(0.5)) / extent  # [N, 2]
    hundredths, sides = cells * 100 + 50, _sides(shapes)
    inside = ((hundredths > extent) & (hundredths < extent * 99)).all(-1)
    usable = inside & (sides > BORDER) & (sides < 1 - BORDER)  # [N]
    proposals = np.concatenate((_logits(centres), np.stack([_logits(sides)] * 2, -1)), -1)
    proposals[~usable] = OUTSIDE
    references = np.broadcast_to(centres[:, None], (len(cells), len(shapes), 2))  # [N, L, 2]
    one_image = (
        sizes,
        np.ones(len(cells)),
        np.ones_like(sizes),
        references,
        proposals,
        usable,
    )
    return tuple(
        Tensor(np.broadcast_to(array, (batch, *array.shape)).astype(np.float32))
        for array in one_image
    )
