"""Neck: backbone maps to one width, plus one coarser level (channel mapper of DINO)."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

from focus_detr.models.layers import MaskedGroupNorm
from focus_detr.ops.products import Convolution, WeighRows

NORM_GROUPS = 32


class BiasedConvolution(nn.Cell):
    """Convolution with bias, padded by k // 2."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        shape = (outputs, inputs, kernel, kernel)
        self.weight = Parameter(initializer("xavier_uniform", shape))
        self.bias = Parameter(initializer("zeros", (outputs,)))
        self.convolve = Convolution(outputs, kernel, stride=stride, padding=(kernel // 2,) * 4)

    def construct(self, x: Tensor) -> Tensor:
        """A map of C_in channels to one of C_out."""
        return self.convolve(x, self.weight, self.bias)


class ConvNorm(nn.Cell):
    """Convolution with bias, then GroupNorm."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = BiasedConvolution(inputs, outputs, kernel=kernel, stride=stride)
        self.norm = MaskedGroupNorm(min(NORM_GROUPS, outputs), outputs)

    def construct(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """A map to a map; ``mask``, from ``LevelMasks``, is the output's."""
        return self.norm(self.conv(x), mask)


class Neck(nn.Cell):
    """1x1 convolutions on the backbone's maps and a 3x3 stride-2 convolution on the last."""

    def __init__(self, inputs: tuple[int, ...], width: int, levels: int) -> None:
        super().__init__()
        self.lateral = nn.CellList([ConvNorm(c, width, kernel=1, stride=1) for c in inputs])
        self.cast = ops.Cast()
        self.weigh = WeighRows()
        self.has_extra = levels > len(inputs)
        if self.has_extra:
            self.extra = ConvNorm(inputs[-1], width, kernel=3, stride=2)

    def construct(
        self, features: tuple[Tensor, ...], masks: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, ...]:
        """Backbone maps (strides 8, 16, 32, maybe 4 before) -> one map of C channels per level.

        Args:
            features: the backbone's maps.
            masks: from ``LevelMasks``, of every level, to leave padding out, or None.
        """
        maps: tuple[Tensor, ...] = ()
        outputs: tuple[Tensor, ...] = ()
        for feature in features:
            maps += (self.cast(feature, ms.float32),)
        for index, conv in enumerate(self.lateral):
            outputs += (conv(maps[index], None if masks is None else masks[index]),)
        if self.has_extra:
            last = maps[-1] if masks is None else self.weigh(maps[-1], masks[len(maps) - 1])
            outputs += (self.extra(last, None if masks is None else masks[-1]),)
        return outputs
