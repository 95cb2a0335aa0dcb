"""Channels and arithmetic of each backbone from its settings alone."""

from __future__ import annotations

from focus_detr.config.schema import BackboneConfig
from focus_detr.config.swin_sizes import SWINS, swin_depths, swin_width
from focus_detr.models.backbones.convolutions import backbone_convolutions, convolutional_channels
from focus_detr.models.backbones.patches import PATCH
from focus_detr.models.backbones.swin import MLP_EXPANSION
from focus_detr.models.backbones.windows import padded_size

ATTENTION_PRODUCTS = 4  # query, key, value and output


def backbone_channels(config: BackboneConfig, finest_stride: int = 8) -> tuple[int, ...]:
    """Channels of the maps of strides 8, 16 and 32, and of stride 4 before if that is finest."""
    if config.name in SWINS:
        width = swin_width(config)
        channels = tuple(width * 2**stage for stage in range(1, 4))
    else:
        channels = convolutional_channels(config)
    return channels if finest_stride == 8 else (channels[0] // 2, *channels)


def backbone_multiply_adds(config: BackboneConfig, height: int, width: int) -> int:
    """Multiply-adds for one image of height x width pixels."""
    if config.name in SWINS:
        return _swin(config, height, width)
    convolutions = backbone_convolutions(config)
    return sum(convolution.multiply_adds(height, width) for convolution in convolutions)


def _swin(config: BackboneConfig, height: int, width: int) -> int:
    """As the reference computes: its attention multiplies the cells that fill up windows too."""
    rows, columns, channels = -(-height // PATCH), -(-width // PATCH), swin_width(config)
    total = rows * columns * channels * 3 * PATCH**2
    depths = swin_depths(config)
    for stage, depth in enumerate(depths):
        filled = padded_size(rows, config.window) * padded_size(columns, config.window)
        products = ATTENTION_PRODUCTS * channels**2 + 2 * config.window**2 * channels
        total += depth * (filled * products + rows * columns * 2 * MLP_EXPANSION * channels**2)
        if stage < len(depths) - 1:
            rows, columns = -(-rows // 2), -(-columns // 2)
            total += rows * columns * 8 * channels**2
            channels *= 2
    return total
