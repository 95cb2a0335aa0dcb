"""Deformable sampling composed from MindSpore's own operations: runs and exports anywhere.

out[q] = sum_{l,p} w[q,l,p] * bilinear(value_l, location[q,l,p]), zero outside the map and
align_corners False (pixel = location * size - 0.5). Deformable DETR, equation 3.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr


@constexpr
def sample_constants(shapes: tuple[tuple[int, int], ...], points: int) -> tuple[Tensor, ...]:
    """Columns, rows and first token of the level that each of the L*P samples reads: [L*P] each.

    Worked out while the graph is compiled; loops and lists inside a graph cost seconds there.
    """
    sizes = np.repeat(np.array(shapes, np.float32), points, axis=0)
    tokens = np.cumsum([0] + [rows * columns for rows, columns in shapes[:-1]])
    start = np.repeat(tokens.astype(np.float32), points)
    return Tensor(sizes[:, 1]), Tensor(sizes[:, 0]), Tensor(start)


@constexpr
def level_sizes(shapes: tuple[tuple[int, int], ...]) -> Tensor:
    """(columns, rows) of each level, shaped [1, 1, 1, L, 1, 2] for offsets."""
    return Tensor(np.array(shapes, np.float32)[:, ::-1].reshape(1, 1, 1, -1, 1, 2).copy())


class SamplePlaces(nn.Cell):
    """Locations and weights of the samples, from what a network computes."""

    def construct(
        self, heads: int, shapes: tuple[tuple[int, int], ...], references: Tensor, projected: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add offsets to references, softmax the logits.

        Args:
            heads: M.
            shapes: (rows, columns) of each level, static.
            references: [B, Q, L, 2] points (x, y), offsets in cells of the level; or [B, Q, L, 4]
                boxes (cx, cy, w, h), offsets in units of half the box per point.
            projected: [B, Q, 3*M*L*P], the offsets [M, L, P, 2] and then the logits [M, L*P].

        Returns:
            Locations [B, Q, M, L, P, 2] in 0..1 of each level's map; weights [B, Q, M, L, P].
            Both float32, worked out in float32, whatever the inputs are.
        """
        references, projected = references.astype(ms.float32), projected.astype(ms.float32)
        batch, queries, size = projected.shape
        levels, count = len(shapes), size // 3  # count: M*L*P
        points = count // (heads * levels)
        layout = (batch, queries, heads, levels, points)
        offsets = projected[:, :, : 2 * count].reshape(*layout, 2)  # [B, Q, M, L, P, 2]
        logits = projected[:, :, 2 * count :]
        logits = logits.reshape(batch, queries, heads, levels * points)  # [B, Q, M, L*P]
        weights = ops.softmax(logits, -1).reshape(layout)  # [B, Q, M, L, P]
        if references.shape[-1] == 2:
            scaled = offsets / level_sizes(shapes)
        else:
            box = references[:, :, None, :, None, 2:]  # [B, Q, 1, L, 1, 2]
            scaled = offsets * (0.5 / points) * box
        return references[:, :, None, :, None, :2] + scaled, weights


def _axis_shares(fraction: Tensor, first: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear weights of the lower and the upper neighbour, 0 for one outside the map."""
    lower = ops.logical_and(first >= 0, first < size).astype(ms.float32)
    upper = ops.logical_and(first >= -1, first < size - 1).astype(ms.float32)
    return (1.0 - fraction) * lower, fraction * upper


def _axis_cells(first: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper neighbour, moved inside the map (their weight is 0 if they were not)."""
    last = size - 1.0
    return ops.minimum(ops.relu(first), last), ops.minimum(ops.relu(first + 1.0), last)


def sample_corners(
    shapes: tuple[tuple[int, int], ...],
    locations: Tensor,
    weights: Tensor,
    tokens: int,
    first_centre: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """The four neighbours of every sample.

    Args:
        shapes: (rows, columns) of each level, static.
        locations: [B, Q, M, L, P, 2] float32.
        weights: [B, Q, M, L, P] float32.
        tokens: N, of all levels.
        first_centre: where the first cell's centre is, in cells from the map's border.

    Returns:
        Token numbers within the batch [B, Q, M, 4, L*P] int32, and bilinear times attention
        weights of the same shape, 0 for a neighbour outside the map.
    """
    batch, queries, heads, levels, points, _ = locations.shape
    flat = (batch, queries, heads, levels * points)
    width, height, start = sample_constants(shapes, points)
    x = locations[..., 0].reshape(flat) * width - first_centre  # [B, Q, M, L*P]
    y = locations[..., 1].reshape(flat) * height - first_centre  # [B, Q, M, L*P]
    attention = weights.reshape(flat)  # [B, Q, M, L*P]
    left = ops.floor(ops.stop_gradient(x))
    top = ops.floor(ops.stop_gradient(y))
    x_shares = _axis_shares(x - left, left, width)
    y_shares = _axis_shares(y - top, top, height)
    image = ops.arange(batch).astype(ms.int32).reshape(batch, 1, 1, 1) * tokens  # [B, 1, 1, 1]
    x_cells = _axis_cells(left, width)
    y_cells = _axis_cells(top, height)
    indices, shares = (), ()
    for row in range(2):
        line = (y_cells[row] * width + start).astype(ms.int32) + image
        weighted = y_shares[row] * attention
        for column in range(2):
            indices += (line + x_cells[column].astype(ms.int32),)
            shares += (weighted * x_shares[column],)
    return ops.stack(indices, axis=3), ops.stack(shares, axis=3)


class ComposedSampling(nn.Cell):
    """Samples by row gathers.

    Each corner of each sample is a row of ``value``; the bilinear weights times the attention
    weights then combine the rows in one batched matrix product. On a CPU forward and backward take
    half the time of ``grid_sample``, and the gradients need no operation of their own.
    """

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        locations: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Sample in float32 whatever the type of ``value``.

        Args:
            value: [B, N, M, C/M], tokens of all levels.
            shapes: (rows, columns) of each level, static.
            locations: [B, Q, M, L, P, 2] float32, (x, y) in 0..1 of the level's padded map.
            weights: [B, Q, M, L, P] float32.

        Returns:
            [B, Q, C] of the type of ``value``.
        """
        batch, tokens, heads, depth = value.shape
        queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
        token, share = sample_corners(shapes, locations, weights, tokens)  # [B, Q, M, 4, L*P]
        head = ops.arange(heads).astype(ms.int32).reshape(1, 1, heads, 1, 1)  # [1, 1, M, 1, 1]
        index = token * heads + head
        rows = value.astype(ms.float32).reshape(batch * tokens * heads, depth)  # [B*N*M, C/M]
        picked = ops.gather(rows, index.reshape(-1), 0)  # [B*Q*M*4*L*P, C/M]
        samples = 4 * levels * points
        picked = picked.reshape(batch * queries * heads, samples, depth)  # [B*Q*M, 4*L*P, C/M]
        share = share.reshape(batch * queries * heads, 1, samples)  # [B*Q*M, 1, 4*L*P]
        sampled = ops.bmm(share, picked).reshape(batch, queries, heads * depth)  # [B, Q, C]
        return sampled.astype(value.dtype)


class PlacedSampling(nn.Cell):
    """Joins places and a sampling cell that takes locations and weights."""

    def __init__(self, sample: nn.Cell) -> None:
        super().__init__()
        self.places = SamplePlaces()
        self.sample = sample

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        projected: Tensor,
    ) -> Tensor:
        """[B, N, M, C/M], shapes, [B, Q, L, 2 or 4] and [B, Q, 3*M*L*P] -> [B, Q, C]."""
        if projected.shape[1] == 0:  # MindSpore's kernels refuse tensors without elements
            batch, _, heads, depth = value.shape
            return ops.zeros((batch, 0, heads * depth), value.dtype)
        locations, weights = self.places(value.shape[2], shapes, references, projected)
        return self.sample(value, shapes, locations, weights)
