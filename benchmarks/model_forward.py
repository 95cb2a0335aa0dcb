"""The forward pass in parts that can be timed one by one."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn

from focus_detr.config.schema import Config
from focus_detr.data.random_batch import random_image
from focus_detr.models.factory import build_model
from focus_detr.models.focus_detr import FocusDETR
from focus_detr.models.geometry import level_shapes
from focus_detr.models.layers import BLOCKED

WHOLE = "whole forward"
BACKBONE = "backbone"
NECK = "neck"
SELECTION = "selector and ranking"
ENCODING = "selector to encoder"
PROPOSALS = "proposals"
DECODER = "decoder and heads"


class _Stage(nn.Cell):
    """A part of the detector; inference."""

    def __init__(self, model: FocusDETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.set_train(False)


class BackboneStage(_Stage):
    """Pixels to maps of strides 8, 16 and 32."""

    def construct(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """[B, 3, H, W] and [B, 2] -> three [B, C_i, h, w]."""
        return self.model.backbone(images, sizes if self.model.padding() == "full" else None)


class NeckStage(_Stage):
    """Backbone maps to maps of one width."""

    def construct(self, images: Tensor, sizes: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Three [B, C_i, h, w] -> [B, C, h, w] per level; ``images`` only tells the shape."""
        if self.model.padding() != "full":
            return self.model.neck(features, None)
        masks: tuple[Tensor, ...] = ()
        for row_valid, column_valid in self.model.validity(images, sizes):
            masks += (self.model.cell_mask(row_valid, column_valid),)
        return self.model.neck(features, masks)


class EncodingStage(_Stage):
    """Neck maps to memory."""

    def encode(self, images: Tensor, sizes: Tensor, maps: tuple[Tensor, ...]) -> tuple:
        """Memory [B, N, C], scores [B, N], ranked [B, K], written [B, layers]."""
        shapes = level_shapes(images.shape[2], images.shape[3], self.model.levels)
        validity = self.model.validity(images, sizes)
        position = self.model.positions(validity)
        return self.model.encode(self.model.tokens(maps), position, validity, shapes)

    def construct(self, images: Tensor, sizes: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        """[B, C, h, w] per level -> all that ``encode`` returns."""
        return self.encode(images, sizes, maps)


class SelectionStage(EncodingStage):
    """Neck maps to ranked tokens: the graph holds no encoder, since nothing uses its memory."""

    def construct(self, images: Tensor, sizes: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        """[B, C, h, w] per level -> scores [B, N], ranked [B, K], written [B, layers]."""
        return self.encode(images, sizes, maps)[1:]


class ProposalStage(_Stage):
    """Memory to the decoder's first queries."""

    def construct(self, images: Tensor, sizes: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        """[B, N, C] -> content [B, Q, C], boxes [B, Q, 4], logits, chosen, slot validity."""
        return self.model.propose(memory, self.model.validity(images, sizes))


class DecoderStage(_Stage):
    """Queries to predictions, with the heads."""

    def construct(
        self,
        images: Tensor,
        sizes: Tensor,
        memory: Tensor,
        content: Tensor,
        boxes: Tensor,
        is_real: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Queries [B, Q, C] and [B, Q, 4] -> logits and boxes of every layer."""
        shapes = level_shapes(images.shape[2], images.shape[3], self.model.levels)
        bias = (1.0 - is_real)[:, None, None, :] * BLOCKED  # [B, 1, 1, Q]
        validity = self.model.validity(images, sizes)
        return self.model.decode(content, boxes, bias, memory, validity, shapes)


class ForwardParts:
    """One detector with random weights, one random image, and the detector's parts.

    Args:
        config: all settings; the network's count.
        num_classes: number of object classes.
        height: of the image, pixels.
        width: likewise.
        parts: whether to compile the parts too.
    """

    def __init__(
        self, config: Config, num_classes: int, height: int, width: int, *, parts: bool = True
    ) -> None:
        self.parts = parts
        self.model = build_model(config.model, num_classes).set_train(False)
        self.image = (Tensor(random_image(height, width)), Tensor([[height, width]], ms.int32))

    def whole(self) -> object:
        """The whole forward pass."""
        return self.model(*self.image)

    def calls(self) -> dict[str, Callable[[], object]]:
        """The whole and, if wanted, one call per part."""
        return {WHOLE: self.whole} | (self._part_calls() if self.parts else {})

    def _part_calls(self) -> dict[str, Callable[[], object]]:
        """Each part is fed with what the parts before put out."""
        image = self.image
        backbone, neck = BackboneStage(self.model), NeckStage(self.model)
        selection, encoding = SelectionStage(self.model), EncodingStage(self.model)
        proposal, decoder = ProposalStage(self.model), DecoderStage(self.model)
        features = backbone(*image)
        maps = neck(*image, *features)
        memory = encoding(*image, *maps)[0]
        content, boxes, _, _, is_real = proposal(*image, memory)
        return {
            BACKBONE: lambda: backbone(*image),
            NECK: lambda: neck(*image, *features),
            SELECTION: lambda: selection(*image, *maps),
            ENCODING: lambda: encoding(*image, *maps),
            PROPOSALS: lambda: proposal(*image, memory),
            DECODER: lambda: decoder(*image, memory, content, boxes, is_real),
        }
