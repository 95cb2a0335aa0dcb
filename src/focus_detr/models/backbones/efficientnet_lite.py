"""EfficientNet-Lite0: inverted residuals with ReLU6, no squeeze-and-excitation; laptop size."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.backbones.padding import PaddingMasks
from focus_detr.models.maps import ImagesToMap

# (kernel, stride, expansion, channels) of the 16 blocks
BLOCKS = (
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (3, 1, 6, 24),
    (5, 2, 6, 40),
    (5, 1, 6, 40),
    (3, 2, 6, 80),
    (3, 1, 6, 80),
    (3, 1, 6, 80),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 2, 6, 192),
    (5, 1, 6, 192),
    (5, 1, 6, 192),
    (5, 1, 6, 192),
    (3, 1, 6, 320),
)
STEM_WIDTH = 32
OUTPUT_BLOCKS = (4, 10, 15)  # strides 8, 16, 32
STRIDES = (2, 4, 8, 16, 32)
NORM_EPSILON = 1e-3


def _same_padding(kernel: int, stride: int) -> tuple[int, int, int, int]:
    """What "same" padding of an even map is, (top, bottom, left, right).

    It does not depend on the size, so that an image's features do not depend on its padding.
    """
    before = (kernel - stride) // 2
    after = kernel - 1 - before
    return (before, after, before, after)


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: str = "relu6",
) -> FrozenConv:
    return FrozenConv(
        inputs,
        outputs,
        kernel,
        stride=stride,
        groups=groups,
        epsilon=NORM_EPSILON,
        padding=_same_padding(kernel, stride),
        activation=activation,
    )


class InvertedResidual(nn.Cell):
    """Expand 1x1, depthwise, project 1x1; residual where the shape stays."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self.expand = _conv(inputs, hidden, 1)
        self.depthwise = _conv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = _conv(hidden, outputs, 1, activation="none")
        self.residual = stride == 1 and inputs == outputs

    def construct(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """A map of C_in channels to one of C_out; ``valid`` is the mask of ``x``, or None.

        Without expansion the padding of ``x`` is zero already.
        """
        y = self.depthwise(self.expand(x, valid=valid) if self.expands else x)
        return self.project(y, x) if self.residual else self.project(y)


class EfficientNetLite0(nn.Cell):
    """EfficientNet-Lite0 without its head."""

    def __init__(self, *, freeze_at: int = 1) -> None:
        super().__init__()
        self.to_map = ImagesToMap()
        self.masks = PaddingMasks(STRIDES)
        self.stem = _conv(3, STEM_WIDTH, 3, stride=2)
        self.blocks = nn.CellList()
        inputs, level, levels = STEM_WIDTH, 0, []
        for kernel, stride, expansion, outputs in BLOCKS:
            self.blocks.append(
                InvertedResidual(inputs, outputs, kernel=kernel, stride=stride, expansion=expansion)
            )
            levels.append(level)
            inputs, level = outputs, level + stride - 1
        self.levels = tuple(levels)  # of each block's input, as an index of STRIDES
        self.channels = tuple(BLOCKS[index][3] for index in OUTPUT_BLOCKS)
        self._freeze(freeze_at)

    def _freeze(self, freeze_at: int) -> None:
        """Stop training the stem (1) and all blocks of the strides below 2^freeze_at."""
        last = (0, 0, 1, 3, 5, 16)[freeze_at]
        frozen = ([self.stem] if freeze_at >= 1 else []) + list(self.blocks)[:last]
        for cell in frozen:
            for parameter in cell.get_parameters():
                parameter.requires_grad = False

    def blocks_to_recompute(self) -> list[nn.Cell]:
        """As in ``ResNet``."""
        return [self.stem, *self.blocks]

    def construct(self, images: Tensor, image_sizes: Tensor | None) -> tuple[Tensor, ...]:
        """[B, 3, H, W] -> maps of strides 8, 16, 32; ``image_sizes`` as in ``ResNet``."""
        masks = self.masks(images, image_sizes)
        x = self.stem(self.to_map(images), valid=masks[0])
        outputs = ()
        for index, block in enumerate(self.blocks):
            x = block(x, masks[self.levels[index]])
            if index in OUTPUT_BLOCKS:
                outputs += (x,)
        return outputs
