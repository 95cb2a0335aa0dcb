"""The forward pass in parts that can be timed one by one."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn

from focus_detr.config.schema import Config
from focus_detr.data.random_batch import random_image
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model

WHOLE = "whole forward"
BACKBONE = "backbone"
NECK = "neck"
SELECTION = "selector and ranking"
ENCODING = "selector to encoder"
PROPOSALS = "proposals"
DECODER = "decoder and heads"


class _Stage(nn.Cell):
    """A part of the detector; inference."""

    def __init__(self, model: DETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.set_train(False)


class WholeStage(_Stage):
    """Pixels to predictions."""

    def construct(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] and [B, 2] -> the last layer's logits and boxes."""
        decoded = self.model(images, sizes)["decoded"]
        return decoded["logits"][-1], decoded["boxes"][-1]


class BackboneStage(_Stage):
    """Pixels to maps of strides 8, 16 and 32."""

    def construct(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """[B, 3, H, W] and [B, 2] -> three [B, C_i, h, w]."""
        return self.model.backbone(images, sizes if self.model.isolated() else None)


class NeckStage(_Stage):
    """Backbone maps to maps of one width."""

    def construct(self, images: Tensor, sizes: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Three [B, C_i, h, w] -> [B, C, h, w] per level; ``images`` only tells the shape."""
        if not self.model.isolated():
            return self.model.neck(features, None)
        grid = self.model.build_grid(images, sizes)
        return self.model.neck(features, self.model.masks(images, grid))


class SelectionStage(_Stage):
    """Neck maps to ranked tokens."""

    def construct(self, images: Tensor, sizes: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        """[B, C, h, w] per level -> scores [B, N], ranked [B, K], written [B, layers]."""
        grid, shapes = self.model.build_grid(images, sizes), self.model.shapes(images)
        selection = self.model.select(self.model.tokens(maps), grid, shapes)
        return selection["scores"], selection["ranked"], selection["written"]


class EncodingStage(_Stage):
    """Neck maps to memory."""

    def construct(self, images: Tensor, sizes: Tensor, *maps: Tensor) -> Tensor:
        """[B, C, h, w] per level -> memory [B, N, C]."""
        grid, shapes = self.model.build_grid(images, sizes), self.model.shapes(images)
        tokens = self.model.tokens(maps)
        selection = self.model.select(tokens, grid, shapes)
        return self.model.encode(tokens, selection, grid, shapes)["memory"]


class ProposalStage(_Stage):
    """Memory to the decoder's first queries."""

    def construct(self, images: Tensor, sizes: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        """[B, N, C] -> content [B, Q, C], references [B, Q, 4], slot validity [B, Q]."""
        queries = self.model.propose(memory, self.model.build_grid(images, sizes))
        return queries["content"], queries["references"], queries["real"]


class DecoderStage(_Stage):
    """Queries to predictions, with the heads."""

    def construct(
        self, images: Tensor, sizes: Tensor, memory: Tensor, *queries: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What ``ProposalStage`` returns -> the last layer's logits and boxes."""
        grid, shapes = self.model.build_grid(images, sizes), self.model.shapes(images)
        named = {"content": queries[0], "references": queries[1], "real": queries[2]}
        decoded = self.model.decode(named, None, memory, grid, shapes)
        return decoded["logits"][-1], decoded["boxes"][-1]


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
        self.forward = WholeStage(self.model)
        self.image = (Tensor(random_image(height, width)), Tensor([[height, width]], ms.int32))

    def whole(self) -> object:
        """The whole forward pass."""
        return self.forward(*self.image)

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
        memory = encoding(*image, *maps)
        queries = proposal(*image, memory)
        return {
            BACKBONE: lambda: backbone(*image),
            NECK: lambda: neck(*image, *features),
            SELECTION: lambda: selection(*image, *maps),
            ENCODING: lambda: encoding(*image, *maps),
            PROPOSALS: lambda: proposal(*image, memory),
            DECODER: lambda: decoder(*image, memory, *queries),
        }
