"""The convolutions of convolutional backbones as plain numbers, for counting without building."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from focus_detr.config.schema import BackboneConfig
from focus_detr.models.backbones import efficientnet_lite, resnet


@dataclass(frozen=True)
class Convolution:
    """One convolution; ``stride`` is that of its output map, in pixels of the image."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    groups: int = 1

    @property
    def weights(self) -> int:
        """Numbers in the kernel."""
        return self.outputs * (self.inputs // self.groups) * self.kernel**2

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds for one image of height x width pixels."""
        return self.weights * -(-height // self.stride) * -(-width // self.stride)


def backbone_convolutions(config: BackboneConfig) -> tuple[Convolution, ...]:
    """Every convolution of the ResNet or EfficientNet in the settings, in the order they run."""
    if config.name == "efficientnet_lite0":
        return tuple(_efficientnet_lite0())
    return tuple(_resnet(config))


def convolutional_channels(config: BackboneConfig) -> tuple[int, int, int]:
    """Channels of the maps of strides 8, 16 and 32."""
    if config.name == "efficientnet_lite0":
        first, second, third = (
            efficientnet_lite.BLOCKS[index][3] for index in efficientnet_lite.OUTPUT_BLOCKS
        )
        return first, second, third
    base = _stem_width(config) * _expansion(config)
    return 2 * base, 4 * base, 8 * base


def _stem_width(config: BackboneConfig) -> int:
    return int(resnet.STEM_WIDTH * config.width_factor)


def _expansion(config: BackboneConfig) -> int:
    return 1 if config.name in resnet.BASIC else resnet.BOTTLENECK_EXPANSION


def _resnet(config: BackboneConfig) -> Iterator[Convolution]:
    stem, expansion = _stem_width(config), _expansion(config)
    block = _basic_block if config.name in resnet.BASIC else _bottleneck
    yield Convolution(3, stem, 7, 2)
    inputs, stride = stem, 4  # the pooling halves too
    for stage, depth in enumerate(config.depths or resnet.DEPTHS[config.name]):
        width, output_stride = stem * 2**stage, 4 * 2**stage
        for _ in range(depth):
            yield from block(inputs, width, stride, output_stride)
            if stride != output_stride or inputs != width * expansion:
                yield Convolution(inputs, width * expansion, 1, output_stride)
            inputs, stride = width * expansion, output_stride


def _bottleneck(
    inputs: int, width: int, stride: int, output_stride: int
) -> tuple[Convolution, ...]:
    return (
        Convolution(inputs, width, 1, stride),
        Convolution(width, width, 3, output_stride),
        Convolution(width, width * resnet.BOTTLENECK_EXPANSION, 1, output_stride),
    )


def _basic_block(
    inputs: int, width: int, stride: int, output_stride: int
) -> tuple[Convolution, ...]:
    del stride  # both convolutions put out the block's own map
    return (
        Convolution(inputs, width, 3, output_stride),
        Convolution(width, width, 3, output_stride),
    )


def _efficientnet_lite0() -> Iterator[Convolution]:
    inputs, at_stride = efficientnet_lite.STEM_WIDTH, 2
    yield Convolution(3, inputs, 3, at_stride)
    for kernel, stride, expansion, outputs in efficientnet_lite.BLOCKS:
        hidden = inputs * expansion
        if expansion != 1:
            yield Convolution(inputs, hidden, 1, at_stride)
        at_stride *= stride
        yield Convolution(hidden, hidden, kernel, at_stride, groups=hidden)
        yield Convolution(hidden, outputs, 1, at_stride)
        inputs = outputs
