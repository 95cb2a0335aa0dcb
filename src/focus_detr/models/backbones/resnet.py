"""ResNet with frozen batch norms, as detection uses it (He et al. 2016; stride on the 3x3)."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.backbones.padding import mask_padding
from focus_detr.models.maps import ImagesToMap, MaxPool

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
STEM_WIDTH = 64
BOTTLENECK_EXPANSION = 4


class Bottleneck(nn.Cell):
    """1x1 reduce, 3x3, 1x1 expand, with a projection shortcut where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int, *, output_stride: int) -> None:
        super().__init__()
        outputs = width * BOTTLENECK_EXPANSION
        self.input_stride = output_stride // stride
        self.conv1 = FrozenConv(inputs, width, 1, activation="relu")
        self.conv2 = FrozenConv(width, width, 3, stride=stride, activation="relu")
        self.conv3 = FrozenConv(width, outputs, 1, activation="relu")
        self.channels_last = self.conv1.channels_last
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.shortcut = FrozenConv(inputs, outputs, 1, stride=stride)

    def construct(self, x: Tensor, image_sizes: Tensor | None) -> Tensor:
        """A map of C_in channels to one of C_out."""
        y = mask_padding(self.conv1(x), image_sizes, self.input_stride, self.channels_last)
        return self.conv3(self.conv2(y), self.shortcut(x) if self.projects else x)


class BasicBlock(nn.Cell):
    """Two 3x3 convolutions (ResNet-18)."""

    def __init__(self, inputs: int, width: int, stride: int, *, output_stride: int) -> None:
        super().__init__()
        self.input_stride, self.output_stride = output_stride // stride, output_stride
        self.conv1 = FrozenConv(inputs, width, 3, stride=stride, activation="relu")
        self.conv2 = FrozenConv(width, width, 3, activation="relu")
        self.channels_last = self.conv1.channels_last
        self.projects = stride != 1 or inputs != width
        if self.projects:
            self.shortcut = FrozenConv(inputs, width, 1, stride=stride)

    def construct(self, x: Tensor, image_sizes: Tensor | None) -> Tensor:
        """A map of C_in channels to one of C_out."""
        x = mask_padding(x, image_sizes, self.input_stride, self.channels_last)
        y = mask_padding(self.conv1(x), image_sizes, self.output_stride, self.channels_last)
        return self.conv2(y, self.shortcut(x) if self.projects else x)


class Stem(nn.Cell):
    """7x7 stride-2 convolution and 3x3 stride-2 max pooling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = FrozenConv(3, width, 7, stride=2, activation="relu")
        self.pool = MaxPool(3, 2, 1)
        self.channels_last = self.conv1.channels_last

    def construct(self, images: Tensor, image_sizes: Tensor | None) -> Tensor:
        """Images as a map -> a map of stride 4."""
        y = mask_padding(self.conv1(images), image_sizes, 2, self.channels_last)
        return self.pool(y)


class ResNet(nn.Cell):
    """ResNet-18, -50 or -101; ``width_factor`` and ``depths`` make small variants.

    ``from_stride_4`` gives the map of res2 too.
    """

    def __init__(
        self,
        name: str = "resnet50",
        *,
        width_factor: float = 1.0,
        depths: tuple[int, ...] | None = None,
        freeze_at: int = 1,
        from_stride_4: bool = False,
    ) -> None:
        super().__init__()
        self.from_stride_4 = from_stride_4
        block = BasicBlock if name == "resnet18" else Bottleneck
        expansion = 1 if name == "resnet18" else BOTTLENECK_EXPANSION
        inputs = int(STEM_WIDTH * width_factor)
        self.to_map = ImagesToMap()
        self.stem = Stem(inputs)
        channels = []
        for index, depth in enumerate(depths or DEPTHS[name]):
            width = int(STEM_WIDTH * width_factor) * 2**index
            stage = nn.CellList()
            for position in range(depth):
                stride = 2 if index > 0 and position == 0 else 1
                stage.append(block(inputs, width, stride, output_stride=4 * 2**index))
                inputs = width * expansion
            setattr(self, f"res{index + 2}", stage)
            channels.append(inputs)
        self.channels = tuple(channels[0 if from_stride_4 else 1 :])
        self._freeze(freeze_at)

    def _freeze(self, freeze_at: int) -> None:
        """Stop training the stem (1) and the stages up to ``res{freeze_at}``."""
        frozen = [self.stem] if freeze_at >= 1 else []
        frozen += [getattr(self, f"res{stage}") for stage in range(2, freeze_at + 1)]
        for cell in frozen:
            for parameter in cell.get_parameters():
                parameter.requires_grad = False

    def blocks_to_recompute(self) -> list[nn.Cell]:
        """The cells between which features are kept when the backbone is recomputed."""
        return [self.stem, *self.res2, *self.res3, *self.res4, *self.res5]

    def construct(self, images: Tensor, image_sizes: Tensor | None) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            images: [B, 3, H, W], normalised.
            image_sizes: [B, 2] (height, width) to keep padding out of the features, or None.

        Returns:
            res3, res4, res5 (and res2 before them): [B, C_i, h, w] of strides 8, 16, 32 (and 4);
            with native products channels are last.
        """
        x = self.stem(self.to_map(images), image_sizes)
        for block in self.res2:
            x = block(x, image_sizes)
        outputs = (x,) if self.from_stride_4 else ()
        for stage in (self.res3, self.res4, self.res5):
            for block in stage:
                x = block(x, image_sizes)
            outputs += (x,)
        return outputs
