"""Multi-scale deformable attention (MSDA), composed from MindSpore's own operations.

Every query reads P points on each of L levels per head and sums them with its attention weights:
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


class MSDeformableSampling(nn.Cell):
    """The composition by row gathers: runs anywhere, exports everywhere, differentiable.

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
        """Sample.

        Args:
            value: [B, N, M, C/M] float32, tokens of all levels.
            shapes: (rows, columns) of each level, static.
            locations: [B, Q, M, L, P, 2] float32, (x, y) in 0..1 of the level's padded map.
            weights: [B, Q, M, L, P] float32.

        Returns:
            [B, Q, C].
        """
        batch, tokens, heads, depth = value.shape
        queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
        index, share = self._corners(shapes, locations, weights, tokens)
        rows = value.reshape(batch * tokens * heads, depth)  # [B*N*M, C/M]
        picked = ops.gather(rows, index.reshape(-1), 0)  # [B*Q*M*4*L*P, C/M]
        samples = 4 * levels * points
        picked = picked.reshape(batch * queries * heads, samples, depth)  # [B*Q*M, 4*L*P, C/M]
        share = share.reshape(batch * queries * heads, 1, samples)  # [B*Q*M, 1, 4*L*P]
        return ops.bmm(share, picked).reshape(batch, queries, heads * depth)  # [B, Q, C]

    def _corners(
        self,
        shapes: tuple[tuple[int, int], ...],
        locations: Tensor,
        weights: Tensor,
        tokens: int,
    ) -> tuple[Tensor, Tensor]:
        """Row number and weight of the four neighbours of every sample: [B, Q, M, 4, L*P] each."""
        batch, queries, heads, levels, points, _ = locations.shape
        flat = (batch, queries, heads, levels * points)
        width, height, start = sample_constants(shapes, points)
        x = locations[..., 0].reshape(flat) * width - 0.5  # [B, Q, M, L*P]
        y = locations[..., 1].reshape(flat) * height - 0.5  # [B, Q, M, L*P]
        attention = weights.reshape(flat)  # [B, Q, M, L*P]
        left = ops.floor(ops.stop_gradient(x))
        top = ops.floor(ops.stop_gradient(y))
        x_shares = self._axis_shares(x - left, left, width)
        y_shares = self._axis_shares(y - top, top, height)
        image = ops.arange(batch).astype(ms.int32).reshape(batch, 1, 1, 1) * tokens
        head = ops.arange(heads).astype(ms.int32).reshape(1, 1, heads, 1)
        x_cells = self._axis_cells(left, width)
        y_cells = self._axis_cells(top, height)
        indices, shares = (), ()
        for row in range(2):
            line = (y_cells[row] * width + start).astype(ms.int32) + image
            weighted = y_shares[row] * attention
            for column in range(2):
                indices += ((line + x_cells[column].astype(ms.int32)) * heads + head,)
                shares += (weighted * x_shares[column],)
        return ops.stack(indices, axis=3), ops.stack(shares, axis=3)

    def _axis_shares(self, fraction: Tensor, first: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Bilinear weights of the lower and the upper neighbour, 0 for one outside the map."""
        lower = ops.logical_and(first >= 0, first < size).astype(ms.float32)
        upper = ops.logical_and(first >= -1, first < size - 1).astype(ms.float32)
        return (1.0 - fraction) * lower, fraction * upper

    def _axis_cells(self, first: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper neighbour, moved inside the map (their weight is 0 if they were not)."""
        last = size - 1.0
        return ops.minimum(ops.relu(first), last), ops.minimum(ops.relu(first + 1.0), last)


class MSDeformableAttention(nn.Cell):
    """MSDA with its projections (Deformable DETR), without residual."""

    def __init__(self, width: int, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = nn.Dense(width, heads * levels * points * 2)
        self.attention_weights = nn.Dense(width, heads * levels * points)
        self.value_proj = nn.Dense(width, width)
        self.output_proj = nn.Dense(width, width)
        self.sample = MSDeformableSampling()

    def project_value(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """[B, N, C] tokens and [B, N] validity -> value [B, N, M, C/M], zero at padding."""
        batch, count, width = tokens.shape
        value = self.value_proj(tokens) * valid[..., None]
        return value.reshape(batch, count, self.heads, width // self.heads)  # [B, N, M, C/M]

    def construct(
        self,
        query: Tensor,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
    ) -> Tensor:
        """Attend.

        Args:
            query: [B, Q, C], content plus position.
            value: [B, N, M, C/M] from ``project_value``.
            shapes: (rows, columns) of each level.
            references: [B, Q, L, 2] points (x, y), offsets in cells of the level; or [B, Q, L, 4]
                boxes (cx, cy, w, h), offsets in units of half the box per point.

        Returns:
            [B, Q, C].
        """
        batch, queries, _ = query.shape
        layout = (batch, queries, self.heads, self.levels, self.points)
        offsets = self.sampling_offsets(query).reshape(*layout, 2)  # [B, Q, M, L, P, 2]
        logits = self.attention_weights(query)
        logits = logits.reshape(batch, queries, self.heads, -1)  # [B, Q, M, L*P]
        weights = ops.softmax(logits, -1).reshape(layout)  # [B, Q, M, L, P]
        if references.shape[-1] == 2:
            scaled = offsets / level_sizes(shapes)
        else:
            box = references[:, :, None, :, None, 2:]  # [B, Q, 1, L, 1, 2]
            scaled = offsets * (0.5 / self.points) * box
        locations = references[:, :, None, :, None, :2] + scaled  # [B, Q, M, L, P, 2]
        return self.output_proj(self.sample(value, shapes, locations, weights))


def msda_numpy(
    value: np.ndarray,
    shapes: tuple[tuple[int, int], ...],
    locations: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Plain twin in NumPy loops for tests: same arguments and result as the cell."""
    batch, _, heads, depth = value.shape
    queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
    out = np.zeros((batch, queries, heads, depth), np.float64)
    start = 0
    for level, (rows, columns) in enumerate(shapes):
        grid = value[:, start : start + rows * columns].reshape(batch, rows, columns, heads, depth)
        start += rows * columns
        for b, q, m, p in np.ndindex(batch, queries, heads, points):
            x, y = locations[b, q, m, level, p] * (columns, rows) - 0.5
            sample = _bilinear_numpy(grid[b, :, :, m], float(x), float(y))
            out[b, q, m] += weights[b, q, m, level, p] * sample
    assert levels == len(shapes)
    return out.reshape(batch, queries, heads * depth)


def _bilinear_numpy(grid: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear value of [h, w, D] at column x and row y, zeros outside: [D]."""
    rows, columns, depth = grid.shape
    total = np.zeros(depth, np.float64)
    for i in (int(np.floor(y)), int(np.floor(y)) + 1):
        for j in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= i < rows and 0 <= j < columns:
                total += grid[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total
