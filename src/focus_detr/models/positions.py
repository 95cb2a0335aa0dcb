"""Sine embeddings of grid positions and of boxes."""

from __future__ import annotations

import math

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

BOX_TEMPERATURE = 10000.0


def _frequencies(features: int, temperature: float) -> np.ndarray:
    """Divisors T^(2 floor(k/2) / features), one per sine-cosine pair: [features/2] float32."""
    # in float64: padded cells of the reference have angles of 1e6, where the last bit tells
    return (temperature ** (2.0 * np.arange(features // 2) / features)).astype(np.float32)


def interleaved_sine(angle: Tensor) -> Tensor:
    """Sine on even, cosine on odd features: [..., F/2] radians -> [..., F]."""
    pairs = ops.stack((ops.sin(angle), ops.cos(angle)), axis=-1)  # [..., F/2, 2]
    return pairs.reshape(*angle.shape[:-1], 2 * angle.shape[-1])  # [..., F]


class SinePositionEmbedding(nn.Cell):
    """Position embedding of a grid whose right and lower part may be padding.

    Positions count valid rows and columns, shifted by ``offset``, scaled to 2 pi over the valid
    extent. ``temperature`` and ``offset`` belong to the checkpoint: 10000 and -0.5 for the 12-epoch
    and all Swin weights, 20 and 0 for the ResNet 24- and 36-epoch weights.
    """

    def __init__(self, width: int, *, temperature: float = 10000.0, offset: float = -0.5) -> None:
        super().__init__()
        self.offset = offset
        self.divisor = Tensor(_frequencies(width // 2, temperature))

    def _embed(self, count: Tensor, total: Tensor) -> Tensor:
        """[B, n] counts and [B, 1] totals -> [B, n, C/2]."""
        position = (count + self.offset) / (total + 1e-6) * (2 * math.pi)
        return interleaved_sine(position[..., None] / self.divisor)

    def _axis(self, valid: Tensor, other_valid: Tensor, added: Tensor) -> Tensor:
        """[B, n] along the axis, [B, m] across it, [C/2] to add -> [B, n, m, C/2].

        In a padded line across the axis every count is 0, whatever the position along it.
        """
        embedded = self._embed(ops.cumsum(valid, 1), valid.sum(axis=1, keepdims=True)) + added
        nothing = ops.zeros((valid.shape[0], 1), ms.float32)
        padded = self._embed(nothing, nothing) + added  # [B, 1, C/2]
        is_valid = other_valid[:, None, :, None]
        return ops.select(
            ops.broadcast_to(is_valid > 0.5, (*valid.shape, other_valid.shape[1], padded.shape[2])),
            ops.broadcast_to(
                embedded[:, :, None, :], (*valid.shape, other_valid.shape[1], padded.shape[2])
            ),
            ops.broadcast_to(
                padded[:, :, None, :], (*valid.shape, other_valid.shape[1], padded.shape[2])
            ),
        )

    def construct(self, row_valid: Tensor, column_valid: Tensor, level: Tensor) -> Tensor:
        """Embed a grid.

        Args:
            row_valid: [B, h] float32, 1 where the row is image.
            column_valid: [B, w] float32.
            level: [C], what embeds the grid's level, added.

        Returns:
            [B, h*w, C]: first half of the channels from y, second half from x.
        """
        batch, rows = row_valid.shape
        columns = column_valid.shape[1]
        half = level.shape[0] // 2  # added before the axes are spread, as that is much less
        y = self._axis(row_valid, column_valid, level[:half])  # [B, h, w, C/2]
        x = self._axis(column_valid, row_valid, level[half:]).swapaxes(1, 2)  # [B, h, w, C/2]
        return ops.concat((y, x), axis=-1).reshape(batch, rows * columns, -1)  # [B, h*w, C]


class BoxSineEmbedding(nn.Cell):
    """Sine embedding of boxes: (cx, cy, w, h) in 0..1 -> [y, x, w, h] features, C/2 each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.divisor = Tensor(_frequencies(width // 2, BOX_TEMPERATURE))

    def construct(self, boxes: Tensor) -> Tensor:
        """[B, Q, 4] -> [B, Q, 2C]."""
        ordered = ops.stack((boxes[..., 1], boxes[..., 0], boxes[..., 2], boxes[..., 3]), axis=-1)
        angle = ordered[..., None] * (2 * math.pi) / self.divisor  # [B, Q, 4, C/4]
        batch, queries = boxes.shape[:2]
        return interleaved_sine(angle).reshape(batch, queries, -1)  # [B, Q, 2C]
