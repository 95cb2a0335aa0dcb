"""Reading and writing rows of token tensors by index, the way the encoder needs it."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

UNRANKED = -3e38  # a score below every real one


def _flat_indices(indices: Tensor, tokens: int) -> Tensor:
    """[B, K] row numbers within an image -> [B*K] row numbers within the batch."""
    batch = indices.shape[0]
    start = ops.arange(batch).astype(ms.int32)[:, None] * tokens
    return (indices.astype(ms.int32) + start).reshape(-1)  # [B*K]


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
    rows = ops.select(ops.broadcast_to(keep_old[..., None], updates.shape), old, updates)
    flat = tokens.reshape(batch * count, channels)  # [B*N, C]
    at = _flat_indices(indices, count)[:, None]  # [B*K, 1]
    written = ops.tensor_scatter_update(flat, at, rows.reshape(-1, channels))  # [B*N, C]
    return written.reshape(batch, count, channels)  # [B, N, C]


class TopScores(nn.Cell):
    """The highest scores; a cell, so that a comparison can put a given choice in its place."""

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """[B, N] -> [B, count] highest scores, best first, and [B, count] int32: their places."""
        values, places = ops.topk(scores, count)
        return values, places.astype(ms.int32)
