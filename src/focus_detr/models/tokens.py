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

# primitives, and shapes worked out on the host: functions and brackets take much longer to compile
_shape, _reshape, _cast, _gather = ops.Shape(), ops.Reshape(), ops.Cast(), ops.Gather()
_add, _select, _expand = ops.Add(), ops.Select(), ops.ExpandDims()
_scatter = ops.TensorScatterUpdate()


@constexpr
def _image_starts(shape: tuple[int, int, int]) -> Tensor:
    """Row number within the batch of each image's first token of [B, N, C]: [B, 1] int32."""
    batch, tokens, _ = shape
    return Tensor(np.arange(batch, dtype=np.int32)[:, None] * np.int32(tokens))


@constexpr
def _is_one_image(shape: tuple[int, int, int]) -> bool:
    return shape[0] == 1


@constexpr
def _of_rows(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Shape of [B, N, C] as rows: (B*N, C)."""
    return shape[0] * shape[1], shape[2]


@constexpr
def _of_picked(indices: tuple[int, int], tokens: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape of rows [B, N, C] at [B, K]: (B, K, C)."""
    return *indices, tokens[2]


@constexpr
def places(count: int) -> Tensor:
    """0, 1, 2, ...: [1, count] int32."""
    return Tensor(np.arange(count, dtype=np.int32)[None])


def _flat_indices(indices: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """[B, K] row numbers within an image, of [B, N, C] -> [B*K] row numbers within the batch."""
    if _is_one_image(shape):
        return _reshape(indices, (-1,))  # [K]
    return _reshape(_add(_cast(indices, ms.int32), _image_starts(shape)), (-1,))  # [B*K]


def gather_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Rows of each image: [B, N, C] at [B, K] -> [B, K, C].

    One gather of whole rows over the flattened batch: many times quicker on a CPU than a
    per-element gather with the index repeated C times.
    """
    shape = _shape(tokens)
    rows = _reshape(tokens, _of_rows(shape))  # [B*N, C]
    picked = _gather(rows, _flat_indices(indices, shape), 0)  # [B*K, C]
    return _reshape(picked, _of_picked(_shape(indices), shape))  # [B, K, C]


def scatter_tokens(tokens: Tensor, indices: Tensor, updates: Tensor, keep_old: Tensor) -> Tensor:
    """Write rows back: [B, N, C] with [B, K, C] put at [B, K] (indices unique per image).

    Args:
        tokens: [B, N, C].
        indices: [B, K] int32.
        updates: [B, K, C].
        keep_old: [B, K] bool; True rows stay what they are.
    """
    shape, of_updates = _shape(tokens), _shape(updates)
    old = gather_tokens(tokens, indices)  # [B, K, C]
    rows = _select(ops.broadcast_to(_expand(keep_old, -1), of_updates), old, updates)
    flat = _reshape(tokens, _of_rows(shape))  # [B*N, C]
    at = _expand(_flat_indices(indices, shape), 1)  # [B*K, 1]
    written = _scatter(flat, at, _reshape(rows, _of_rows(of_updates)))  # [B*N, C]
    return _reshape(written, shape)  # [B, N, C]


class TopScores(nn.Cell):
    """The highest scores; a cell, so that a comparison can put a given choice in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.topk, self.cast = ops.TopK(sorted=True), ops.Cast()

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """[B, N] -> [B, count] highest scores, best first, and [B, count] int32: their places."""
        values, places = self.topk(scores, count)
        return values, self.cast(places, ms.int32)


class Choice(NamedTuple):
    """One place of a network where scores decide what goes on."""

    name: str  # of the scores
    place: nn.Cell  # its attribute ``top`` chooses
    among: int
    count: int
