"""Reading and writing rows of token tensors by index, the way the encoder needs it."""

from __future__ import annotations

from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

FOREGROUND = "foreground scores"
OBJECTS = "object scores of encoder layer {}"
PROPOSALS = "class scores of the proposals"
UNRANKED = -3e38  # a score below every real one


@constexpr
def image_starts(batch: int, tokens: int) -> Tensor:
    """Row number of each image's first token within the batch: [B, 1] int32."""
    return Tensor(np.arange(batch, dtype=np.int32)[:, None] * np.int32(tokens))


@constexpr
def places(count: int) -> Tensor:
    """0, 1, 2, ...: [1, count] int32."""
    return Tensor(np.arange(count, dtype=np.int32)[None])


def _flat_indices(indices: Tensor, tokens: int) -> Tensor:
    """[B, K] row numbers within an image -> [B*K] row numbers within the batch."""
    batch = indices.shape[0]
    if batch == 1:
        return indices.reshape(-1)  # [K]
    return (indices.astype(ms.int32) + image_starts(batch, tokens)).reshape(-1)  # [B*K]


def gather_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Rows of each image: [B, N, C] at [B, K] -> [B, K, C].

    One gather of whole rows over the flattened batch: many times quicker on a CPU than a
    per-element gather with the index repeated C times.
    """
    batch, count, channels = tokens.shape
    rows = tokens.reshape(batch * count, channels)  # [B*N, C]
    picked = ops.gather(rows, _flat_indices(indices, count), 0)  # [B*K, C]
    return picked.reshape(batch, indices.shape[1], channels)  # [B, K, C]


def scatter_tokens(tokens: Tensor, indices: Tensor, updates: Tensor, keep_old: Tensor) -> Tensor:
    """Write rows back: [B, N, C] with [B, K, C] put at [B, K] (indices unique per image).

    Args:
        tokens: [B, N, C].
        indices: [B, K] int32.
        updates: [B, K, C].
        keep_old: [B, K] bool; True rows stay what they are.
    """
    batch, count, channels = tokens.shape
    old = gather_tokens(tokens, indices)  # [B, K, C]
    rows = ops.select(ops.broadcast_to(ops.expand_dims(keep_old, -1), updates.shape), old, updates)
    flat = tokens.reshape(batch * count, channels)  # [B*N, C]
    at = ops.expand_dims(_flat_indices(indices, count), 1)  # [B*K, 1]
    written = ops.tensor_scatter_update(flat, at, rows.reshape(-1, channels))  # [B*N, C]
    return written.reshape(batch, count, channels)  # [B, N, C]


class TopScores(nn.Cell):
    """The highest scores; a cell, so that a comparison can put a given choice in its place."""

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """[B, N] -> [B, count] highest scores, best first, and [B, count] int32: their places."""
        values, places = ops.topk(scores, count)
        return values, places.astype(ms.int32)


class Choice(NamedTuple):
    """One place of a network where scores decide what goes on."""

    name: str  # of the scores
    place: nn.Cell  # its attribute ``top`` chooses
    among: int
    count: int
