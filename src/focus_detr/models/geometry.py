"""Where tokens lie: level grids, which cells are image and which padding, reference points.

A level's padding is right and below, so "valid" separates into rows and columns; both are kept as
float vectors (1 valid, 0 padded) and combined only where a map is needed.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops
from mindspore.ops import constexpr

Shapes = tuple[
    tuple[int, int], ...
]  # (rows, columns) of each level, known when a graph is compiled

FIRST_STRIDE = 8
FINER_STRIDE = 4  # of the first of five levels
BORDER = 0.01  # share of the image, nearer than which to a side no proposal is used
PROPOSAL_SIZE = 0.05  # side of the first level's boxes in units of the image, doubled per level


def first_stride(levels: int) -> int:
    """Pixels to a cell of the first level: 8, or 4 where five levels begin one earlier."""
    return FINER_STRIDE if levels > 4 else FIRST_STRIDE


@constexpr
def level_shapes(height: int, width: int, levels: int = 4) -> Shapes:
    """Grid (rows, columns) of each level for an image of height x width pixels.

    Every stage of the backbone halves and rounds up, so level l has ceil(size / stride) cells.
    """
    strides = [first_stride(levels) * 2**level for level in range(levels)]
    return tuple((-(-height // stride), -(-width // stride)) for stride in strides)


@constexpr
def level_starts(shapes: Shapes) -> tuple[int, ...]:
    """First token of each level, and the number of all of them."""
    starts = [0]
    for rows, columns in shapes:
        starts.append(starts[-1] + rows * columns)
    return tuple(starts)


def cell_validity(sizes: Tensor, padded: int, cells: int, stride: int, padding: str) -> Tensor:
    """Which cells along one axis of a level belong to the image.

    Args:
        sizes: [B] int32, real extent of each image along the axis, pixels.
        padded: extent of the padded batch, pixels.
        cells: number of cells of the level along the axis.
        stride: pixels per cell.
        padding: "none": all are valid; "partial": the reference's nearest resize of the pixel mask
            (cell i looks at pixel floor(i * padded / cells)); "full": the cells that the image
            would have without padding.

    Returns:
        [B, cells] float32.
    """
    batch = sizes.shape[0]
    if padding == "none":
        return ops.ones((batch, cells), ms.float32)
    index = ops.arange(cells)
    first_pixel = index * padded // cells if padding == "partial" else index * stride
    return (first_pixel[None, :] < sizes[:, None]).astype(ms.float32)


def level_validity(
    image_sizes: Tensor, padded_shape: tuple[int, int], levels: int, padding: str
) -> tuple[tuple[Tensor, Tensor], ...]:
    """Row and column validity of every level: ([B, h], [B, w]) float32 each."""
    height, width = padded_shape
    validity = ()
    for level, (rows, columns) in enumerate(level_shapes(height, width, levels)):
        stride = first_stride(levels) * 2**level
        row_valid = cell_validity(image_sizes[:, 0], height, rows, stride, padding)
        column_valid = cell_validity(image_sizes[:, 1], width, columns, stride, padding)
        validity += ((row_valid, column_valid),)
    return validity


def flatten_validity(validity: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
    """Validity of all tokens, level-major and row-major: [B, N] float32."""
    maps = ()
    for row_valid, column_valid in validity:
        grid = row_valid[:, :, None] * column_valid[:, None, :]  # [B, h, w]
        maps += (grid.reshape(grid.shape[0], -1),)  # [B, h*w]
    return ops.concat(maps, axis=1)


def valid_ratios(validity: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
    """Share of each level that is image, as (width, height): [B, L, 2] float32."""
    ratios = ()
    for row_valid, column_valid in validity:
        width_ratio = column_valid.sum(axis=1) / column_valid.shape[1]
        height_ratio = row_valid.sum(axis=1) / row_valid.shape[1]
        ratios += (ops.stack((width_ratio, height_ratio), axis=-1),)
    return ops.stack(ratios, axis=1)


def _grid_centres(row_valid: Tensor, column_valid: Tensor) -> Tensor:
    """Cell centres (x, y) of one level over its valid extent: [B, h*w, 2]."""
    batch, rows = row_valid.shape
    columns = column_valid.shape[1]
    x = (ops.arange(columns).astype(ms.float32) + 0.5) / column_valid.sum(axis=1, keepdims=True)
    y = (ops.arange(rows).astype(ms.float32) + 0.5) / row_valid.sum(axis=1, keepdims=True)
    x = ops.broadcast_to(x[:, None, :], (batch, rows, columns))  # [B, h, w]
    y = ops.broadcast_to(y[:, :, None], (batch, rows, columns))  # [B, h, w]
    return ops.stack((x, y), axis=-1).reshape(batch, rows * columns, 2)  # [B, h*w, 2]


def token_reference_points(validity: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
    """Where each token looks first on every level: [B, N, L, 2] float32, (x, y) of the padded map.

    The centre relative to the token's own valid extent times the valid ratio of the target level.
    """
    centres = ()
    for row_valid, column_valid in validity:
        centres += (_grid_centres(row_valid, column_valid),)
    points = ops.concat(centres, axis=1)  # [B, N, 2]
    return points[:, :, None, :] * valid_ratios(validity)[:, None, :, :]


def token_proposals(validity: tuple[tuple[Tensor, Tensor], ...]) -> tuple[Tensor, Tensor]:
    """The box that each token proposes before refinement (Deformable-DETR two-stage).

    Returns:
        boxes [B, N, 4] (cx, cy, w, h) over the valid extent, and [B, N] float32: 1 where the token
        is image and all four numbers lie strictly inside (0.01, 0.99).
    """
    boxes, usable = (), ()
    for level, (row_valid, column_valid) in enumerate(validity):
        centre = _grid_centres(row_valid, column_valid)
        side = PROPOSAL_SIZE * 2.0**level
        boxes += (ops.concat((centre, ops.full_like(centre, side)), axis=-1),)
        inside = _away_from_border(row_valid)[:, :, None] * _away_from_border(column_valid)[:, None]
        if not BORDER < side < 1 - BORDER:
            inside = ops.zeros_like(inside)
        usable += (inside.reshape(inside.shape[0], -1),)  # [B, h*w]
    return ops.concat(boxes, axis=1), ops.concat(usable, axis=1) * flatten_validity(validity)


def _away_from_border(valid: Tensor) -> Tensor:
    """Which centres along one axis lie strictly inside (0.01, 0.99) of the valid extent: [B, n].

    In whole numbers, as centres of 50 cells lie on the limits: programs that multiply by 1/50
    would get another row than those that divide by 50.
    """
    extent = valid.sum(axis=1, keepdims=True)  # [B, 1]
    centre = (ops.arange(valid.shape[1]).astype(ms.float32) * 100.0 + 50.0)[None, :]  # hundredths
    inside = ops.logical_and(centre > extent, centre < extent * 99.0)
    return inside.astype(ms.float32)
