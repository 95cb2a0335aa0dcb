"""Sine embeddings of grid positions and of boxes."""

from __future__ import annotations

import math

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

BOX_TEMPERATURE = 10000.0

# primitives, and shapes worked out on the host: brackets take much longer to compile
_shape, _reshape, _expand = ops.Shape(), ops.Reshape(), ops.ExpandDims()


def frequencies(features: int, temperature: float) -> np.ndarray:
    """Divisors T^(2 floor(k/2) / features), one per sine-cosine pair: [features/2] float32."""
    # in float64: padded cells of the reference have angles of 1e6, where the last bit tells
    return (temperature ** (2.0 * np.arange(features // 2) / features)).astype(np.float32)


@constexpr
def _joined(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose last two axes are one."""
    return *shape[:-2], shape[-2] * shape[-1]


def interleaved_sine(angle: Tensor) -> Tensor:
    """Sine on even, cosine on odd features: [..., F/2] radians -> [..., F]."""
    pairs = ops.stack((ops.sin(angle), ops.cos(angle)), axis=-1)  # [..., F/2, 2]
    return _reshape(pairs, _joined(_shape(pairs)))  # [..., F]


class SinePositionEmbedding(nn.Cell):
    """Position embedding along the rows or columns of a map, part of which may be padding.

    Positions count valid rows or columns, shifted by ``offset``, scaled to 2 pi over the valid
    extent. ``temperature`` and ``offset`` belong to the checkpoint: 10000 and -0.5 for the 12-epoch
    and all Swin weights, 20 and 0 for the ResNet 24- and 36-epoch weights.
    """

    def __init__(self, width: int, *, temperature: float = 10000.0, offset: float = -0.5) -> None:
        super().__init__()
        self.width, self.temperature, self.offset = width, temperature, offset
        self.divisor = Tensor(frequencies(width // 2, temperature))

    def construct(self, counts: Tensor, totals: Tensor) -> Tensor:
        """Embed lines: numbers [B, R], from 1, of totals [B, R] -> [B, R, C/2]."""
        position = (counts + self.offset) / (totals + 1e-6) * (2 * math.pi)
        return interleaved_sine(_expand(position, -1) / self.divisor)


class BoxSineEmbedding(nn.Cell):
    """Sine embedding of boxes: (cx, cy, w, h) in 0..1 -> [y, x, w, h] features, C/2 each.

    Args:
        width: C.
        x_first: features in the order [x, y, w, h], as for the positions of two-stage
            Deformable DETR.
    """

    def __init__(self, width: int, *, x_first: bool = False) -> None:
        super().__init__()
        self.divisor = Tensor(frequencies(width // 2, BOX_TEMPERATURE))
        self.x_first = x_first
        self.order = Tensor(np.array((1, 0, 2, 3), np.int32))

    def construct(self, boxes: Tensor) -> Tensor:
        """[B, Q, 4] -> [B, Q, 2C]."""
        ordered = boxes if self.x_first else ops.gather(boxes, self.order, 2)  # [B, Q, 4]
        angle = _expand(ordered, -1) * (2 * math.pi) / self.divisor  # [B, Q, 4, C/4]
        code = interleaved_sine(angle)  # [B, Q, 4, C/2]
        return _reshape(code, _joined(_shape(code)))  # [B, Q, 2C]
