"""ResNet with frozen batch norms, as detection uses it (He et al. 2016; stride on the 3x3)."""

from __future__ import annotations

from collections.abc import Mapping

from mindspore import Tensor, nn

from focus_detr.config.schema import BackboneName
from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.backbones.padding import PaddingMasks
from focus_detr.models.maps import ImagesToMap, MaxPool
from focus_detr.ops.products import WeighRows

DEPTHS: Mapping[BackboneName, tuple[int, ...]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
BASIC: tuple[BackboneName, ...] = (
    "resnet18",
    "resnet34",
)  # their blocks have two convolutions, the others' three
STEM_WIDTH = 64
FIRST_MAP_STRIDE = 4
BOTTLENECK_EXPANSION = 4
STRIDES = (2, 4, 8, 16, 32)  # of the stem's convolution, and of res2 to res5


class Bottleneck(nn.Cell):
    """1x1 reduce, 3x3, 1x1 expand, with a projection shortcut where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * BOTTLENECK_EXPANSION
        self.conv1 = FrozenConv(inputs, width, 1, activation="relu")
        self.conv2 = FrozenConv(width, width, 3, stride=stride, activation="relu")
        self.conv3 = FrozenConv(width, outputs, 1, activation="relu")
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.shortcut = FrozenConv(inputs, outputs, 1, stride=stride)

    def construct(self, x: Tensor, before: Tensor | None, after: Tensor | None) -> Tensor:
        """A map of C_in channels to one of C_out; masks, or None, of the map before and after."""
        y = self.conv1(x, valid=before)
        return self.conv3(self.conv2(y), self.shortcut(x) if self.projects else x)


class BasicBlock(nn.Cell):
    """Two 3x3 convolutions (ResNet-18)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = FrozenConv(inputs, width, 3, stride=stride, activation="relu")
        self.conv2 = FrozenConv(width, width, 3, activation="relu")
        self.projects = stride != 1 or inputs != width
        if self.projects:
            self.shortcut = FrozenConv(inputs, width, 1, stride=stride)
        self.weigh = WeighRows()

    def construct(self, x: Tensor, before: Tensor | None, after: Tensor | None) -> Tensor:
        """A map of C_in channels to one of C_out; masks, or None, of the map before and after."""
        if before is not None:
            x = self.weigh(x, before)
        y = self.conv1(x, valid=after)
        return self.conv2(y, self.shortcut(x) if self.projects else x)


class Stem(nn.Cell):
    """7x7 stride-2 convolution and 3x3 stride-2 max pooling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = FrozenConv(3, width, 7, stride=2, activation="relu")
        self.pool = MaxPool(3, 2, 1)

    def construct(self, images: Tensor, valid: Tensor | None) -> Tensor:
        """Images as a map, and the mask of stride 2 or None -> a map of stride 4."""
        return self.pool(self.conv1(images, valid=valid))


class ResNet(nn.Cell):
    """ResNet; ``width_factor`` and ``depths`` make small variants.

    Args:
        name: of ``DEPTHS``.
        width_factor: of all channels.
        depths: blocks of the stages; None: the named network's own.
        freeze_at: 0 trains all, 1 freezes the stem, 2..5 the stages up to res2..res5 too.
        finest_stride: 8 or, with res2's map too, 4.
    """

    def __init__(
        self,
        name: BackboneName = "resnet50",
        *,
        width_factor: float = 1.0,
        depths: tuple[int, ...] | None = None,
        freeze_at: int = 1,
        finest_stride: int = 8,
    ) -> None:
        super().__init__()
        block = BasicBlock if name in BASIC else Bottleneck
        expansion = 1 if name in BASIC else BOTTLENECK_EXPANSION
        inputs = int(STEM_WIDTH * width_factor)
        self.to_map = ImagesToMap()
        self.masks = PaddingMasks(STRIDES)
        self.stem = Stem(inputs)
        channels = []
        for index, depth in enumerate(depths or DEPTHS[name]):
            width = int(STEM_WIDTH * width_factor) * 2**index
            stage = nn.CellList()
            for position in range(depth):
                stride = 2 if index > 0 and position == 0 else 1
                stage.append(block(inputs, width, stride))
                inputs = width * expansion
            setattr(self, f"res{index + 2}", stage)
            channels.append(inputs)
        self.gives_first = finest_stride == FIRST_MAP_STRIDE
        self.channels = tuple(channels if self.gives_first else channels[1:])
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
            res3, res4, res5: [B, C_i, h, w] of strides 8, 16, 32, with res2 of stride 4 before if
            it is asked for; with native products channels are last.
        """
        masks = self.masks(images, image_sizes)
        x = self.stem(self.to_map(images), masks[0])
        outputs, before = (), masks[1]
        for index, stage in enumerate((self.res2, self.res3, self.res4, self.res5)):
            after = masks[index + 1]
            for block in stage:
                x = block(x, before, after)
                before = after
            if index > 0 or self.gives_first:
                outputs += (x,)
        return outputs
