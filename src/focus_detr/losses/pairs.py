"""Pairs of a query and a target: so many of each target, one after the other."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops


def for_pairs(values: Tensor, per_box: int) -> Tensor:
    """Each target's value for each of its pairs: [B, T, ...] -> [B, T*k, ...]."""
    if per_box == 1:
        return values
    batch, count, *rest = values.shape
    wide = ops.broadcast_to(values.expand_dims(2), (batch, count, per_box, *rest))
    return wide.reshape(batch, count * per_box, *rest)  # [B, T, k, ...] -> [B, T*k, ...]


def with_width(matches: Tensor, width: int, targets: int) -> Tensor:
    """Matches of T targets with -1 behind each target's own: [H, B, T*j] -> [H, B, T*width]."""
    heads, batch, pairs = matches.shape
    own = pairs // targets
    if own == width:
        return matches
    rest = ops.full((heads, batch, targets, width - own), -1, dtype=ms.int32)
    grouped = matches.reshape(heads, batch, targets, own)  # [H, B, T*j] -> [H, B, T, j]
    return ops.concat((grouped, rest), 3).reshape(heads, batch, -1)  # [H, B, T, k] -> [H, B, T*k]


def widened(first: Tensor, second: Tensor, targets: int) -> tuple[Tensor, Tensor]:
    """Matches [., B, T*j] and [., B, T*k] of T targets, both with the larger of j and k."""
    width = max(first.shape[2], second.shape[2]) // targets
    return with_width(first, width, targets), with_width(second, width, targets)
