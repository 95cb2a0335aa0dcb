"""Inputs of the deformable sampling benchmark, and the grid_sample composition to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mindspore import Tensor, nn, ops
from msda_worker import CASES, LOCAL

SHAPES = ((100, 134), (50, 67), (25, 34), (13, 17))  # levels of an 800 x 1066 image
TOKENS = sum(rows * columns for rows, columns in SHAPES)
HEADS, DEPTH, POINTS = 8, 32, 4
REACH = 3.0  # cells: standard deviation of the offsets


@dataclass(frozen=True)
class Inputs:
    """What the fused operator takes, as float32 arrays."""

    value: np.ndarray  # [1, N, M, D]
    references: np.ndarray  # [1, Q, L, 2]
    projected: np.ndarray  # [1, Q, 3*M*L*P]

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """For MindSpore."""
        return Tensor(self.value), Tensor(self.references), Tensor(self.projected)


def token_centres() -> np.ndarray:
    """(x, y) in 0..1 of every token: [N, 2]."""
    grids = []
    for rows, columns in SHAPES:
        x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        grids.append(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    return np.concatenate(grids)


def make_inputs(queries: str) -> Inputs:
    """Random inputs of a case: local queries look around tokens, in the tokens' order."""
    random = np.random.default_rng(0)
    count, samples = CASES[queries], HEADS * len(SHAPES) * POINTS
    value = random.normal(size=(1, TOKENS, HEADS, DEPTH))
    sizes = np.array(SHAPES)[:, None, ::-1]
    if queries == LOCAL:
        places = token_centres()[np.sort(random.permutation(TOKENS)[:count])]
        offsets = REACH * random.normal(size=(count, HEADS, len(SHAPES), POINTS, 2))
    else:
        places = np.zeros((count, 2))
        offsets = random.uniform(size=(count, HEADS, len(SHAPES), POINTS, 2)) * sizes
    references = np.broadcast_to(places[None, :, None], (1, count, len(SHAPES), 2))
    logits = random.normal(size=(1, count, samples))
    projected = np.concatenate((offsets.reshape(1, count, -1), logits), -1)
    return Inputs(*(np.array(array, np.float32) for array in (value, references, projected)))


def gathered_rows(inputs: Inputs) -> np.ndarray:
    """Rows of the value around each sample, by head: [M * Q, 4*L*P] int32."""
    count, levels = inputs.references.shape[1], len(SHAPES)
    offsets = inputs.projected[0, :, : 2 * HEADS * levels * POINTS]
    offsets = offsets.reshape(count, HEADS, levels, POINTS, 2)
    sizes = np.array(SHAPES)[:, None, ::-1]
    pixels = inputs.references[0, :, None, :, None] * sizes + offsets - 0.5
    start = np.cumsum([0] + [rows * columns for rows, columns in SHAPES[:-1]])[:, None]
    rows = []
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        cell = np.clip(np.floor(pixels).astype(np.int64) + step, 0, sizes - 1)
        rows.append(start + cell[..., 1] * sizes[..., 0] + cell[..., 0])  # [Q, M, L, P]
    tokens = np.stack(rows, -1).reshape(count, HEADS, -1).transpose(1, 0, 2)  # [M, Q, 4*L*P]
    heads = np.arange(HEADS)[:, None, None]
    return (tokens * HEADS + heads).astype(np.int32).reshape(HEADS * count, -1)


class GridSampling(nn.Cell):
    """The usual composition, one ``grid_sample`` per level; arguments of ``ComposedSampling``."""

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        locations: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """[B, N, M, D], shapes, [B, Q, M, L, P, 2] and [B, Q, M, L, P] -> [B, Q, M*D]."""
        batch, _, heads, depth = value.shape
        queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
        grids, start, sampled = 2.0 * locations - 1.0, 0, ()
        for level, (rows, columns) in enumerate(shapes):
            image = value[:, start : start + rows * columns].transpose(0, 2, 3, 1)
            image = image.reshape(batch * heads, depth, rows, columns)  # [B*M, D, h, w]
            grid = grids[:, :, :, level].transpose(0, 2, 1, 3, 4)
            grid = grid.reshape(batch * heads, queries, points, 2)  # [B*M, Q, P, 2]
            sampled += (ops.grid_sample(image, grid, "bilinear", "zeros", False),)
            start += rows * columns
        shares = weights.transpose(0, 2, 1, 3, 4)
        shares = shares.reshape(batch * heads, 1, queries, levels * points)  # [B*M, 1, Q, L*P]
        stacked = ops.stack(sampled, -2)  # [B*M, D, Q, L, P]
        stacked = stacked.reshape(batch * heads, depth, queries, levels * points)
        summed = (stacked * shares).sum(-1).reshape(batch, heads * depth, queries)
        return summed.transpose(0, 2, 1)
