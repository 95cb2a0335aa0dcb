"""Neck: backbone maps to one width, plus one coarser level (channel mapper of DINO)."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.models.layers import MaskedGroupNorm

NORM_GROUPS = 32


class ConvNorm(nn.Cell):
    """Convolution with bias, then GroupNorm."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            pad_mode="pad",
            padding=kernel // 2,
            has_bias=True,
        )
        self.norm = MaskedGroupNorm(min(NORM_GROUPS, outputs), outputs)

    def construct(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, C_in, h, w] -> [B, C, h', w']; ``mask`` [B, 1, h', w'] is the output's."""
        return self.norm(self.conv(x), mask)


class Neck(nn.Cell):
    """1x1 convolutions on res3..res5 and a 3x3 stride-2 convolution on res5."""

    def __init__(self, inputs: tuple[int, ...], width: int, levels: int) -> None:
        super().__init__()
        self.lateral = nn.CellList([ConvNorm(c, width, kernel=1, stride=1) for c in inputs])
        self.cast = ops.Cast()
        self.has_extra = levels > len(inputs)
        if self.has_extra:
            self.extra = ConvNorm(inputs[-1], width, kernel=3, stride=2)

    def construct(
        self, features: tuple[Tensor, ...], masks: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, ...]:
        """Backbone maps (strides 8, 16, 32) -> one [B, C, h, w] per level.

        Args:
            features: the backbone's maps, [B, C_i, h, w] each.
            masks: [B, 1, h, w] of every level to leave padding out, or None.
        """
        maps: tuple[Tensor, ...] = ()
        outputs: tuple[Tensor, ...] = ()
        for feature in features:
            maps += (self.cast(feature, ms.float32),)
        for index, conv in enumerate(self.lateral):
            outputs += (conv(maps[index], None if masks is None else masks[index]),)
        if self.has_extra:
            last = maps[-1] if masks is None else maps[-1] * masks[len(maps) - 1]
            outputs += (self.extra(last, None if masks is None else masks[-1]),)
        return outputs
