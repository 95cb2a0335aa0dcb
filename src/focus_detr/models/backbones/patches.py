"""The steps of Swin Transformer that make a map coarser (sections 3.1 and 3.2)."""

from __future__ import annotations

import math

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Uniform, initializer

from focus_detr.models.backbones.windows import padded_size
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.maps import ImagesToMap, MapToCells
from focus_detr.ops.products import Convolution, Dense

PATCH = 4  # pixels along a side


class PatchProjection(nn.Cell):
    """4x4 convolution of stride 4; the last patches are filled up with zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(3 * PATCH**2)
        self.weight = Parameter(initializer(Uniform(bound), (width, 3, PATCH, PATCH)))
        self.bias = Parameter(initializer(Uniform(bound), (width,)))
        # of these zeros no more are read than the last patch needs
        padding = (0, PATCH - 1, 0, PATCH - 1)
        self.convolve = Convolution(width, PATCH, stride=PATCH, padding=padding)

    def construct(self, x: Tensor) -> Tensor:
        """A map of H x W pixels to one of ceil(H / 4) x ceil(W / 4) cells."""
        return self.convolve(x, self.weight, self.bias)


class PatchEmbedding(nn.Cell):
    """Patches of 4x4 pixels as cells of C channels, normed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_map, self.to_cells = ImagesToMap(), MapToCells()
        self.proj = PatchProjection(width)
        self.norm = LayerNorm(width)

    def construct(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, h, w, C]."""
        return self.norm(self.to_cells(self.proj(self.to_map(images))))


class PatchMerging(nn.Cell):
    """Four neighbours become one cell of twice the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = LayerNorm(4 * width)
        self.reduction = Dense(4 * width, 2 * width, has_bias=False)

    def construct(self, x: Tensor) -> Tensor:
        """[B, h, w, C] -> [B, ceil(h / 2), ceil(w / 2), 2C]; odd sides are filled with zeros."""
        batch, rows, columns, channels = x.shape
        height, width = padded_size(rows, 2), padded_size(columns, 2)
        if height > rows:
            x = ops.concat((x, ops.zeros((batch, 1, columns, channels), x.dtype)), axis=1)
        if width > columns:
            x = ops.concat((x, ops.zeros((batch, height, 1, channels), x.dtype)), axis=2)
        x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)  # [B, h/2, 2, w/2, 2, C]
        # the reference's order of neighbours: (row, column) = (0, 0), (1, 0), (0, 1), (1, 1)
        x = x.transpose(0, 1, 3, 4, 2, 5)  # [B, h/2, w/2, column, row, C]
        x = x.reshape(batch, height // 2, width // 2, 4 * channels)  # [B, h/2, w/2, 4C]
        return self.reduction(self.norm(x))
