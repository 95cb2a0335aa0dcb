"""The detector: its parts, wired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.models.decoder import Decoded, Decoder
from focus_detr.models.denoising.slots import DenoisingInput
from focus_detr.models.encoder.encoding import Encoded, TokenEncoder
from focus_detr.models.geometry import Shapes, level_shapes
from focus_detr.models.grid import Grid, GridBuilder
from focus_detr.models.layers import BLOCKED
from focus_detr.models.maps import LevelMasks, MapToTokens
from focus_detr.models.neck import Neck
from focus_detr.models.queries.queries import PlacingSource, Queries, QuerySource
from focus_detr.models.selection.selection import Selection, TokenSelection
from focus_detr.models.tokens import Choice


class Outputs(TypedDict):
    """All that a network computes; D denoising queries come before the Q others."""

    grid: Grid
    selection: Selection
    encoded: Encoded
    queries: Queries  # without the denoising queries
    decoded: Decoded  # with them


class DETR(nn.Cell):
    """From pixels to logits and boxes: backbone, neck, selection, encoder, queries, decoder.

    Built by ``factory.build_model``; the parts come ready-made. ``padding_training`` and
    ``padding_evaluation`` say how far padding is masked (``config.schema.PaddingConfig``); which
    one counts is decided by ``set_train`` when the graph is compiled.

    Args:
        shared: parts that several others use, or that training alone uses, by the name that their
            weights have in checkpoints.
        backbone: images to maps.
        neck: maps to maps of one width.
        grid: builds what depends on shapes and image sizes only.
        selection: which tokens the encoder refines.
        encoder: refines them.
        queries: where the decoder's queries come from.
        decoder: predicts.
        num_classes: of the logits.
        levels: L.
        padding_training: "none", "partial" or "full".
        padding_evaluation: likewise.
    """

    def __init__(
        self,
        *,
        shared: Mapping[str, nn.Cell | Parameter],
        backbone: nn.Cell,
        neck: Neck,
        grid: GridBuilder,
        selection: TokenSelection,
        encoder: TokenEncoder,
        queries: QuerySource,
        decoder: Decoder,
        num_classes: int,
        levels: int = 4,
        padding_training: str = "partial",
        padding_evaluation: str = "full",
    ) -> None:
        super().__init__()
        for name, part in shared.items():
            setattr(self, name, part)
        self.backbone = backbone
        self.neck = neck
        self.level_masks, self.map_to_tokens = LevelMasks(), MapToTokens()
        self.grid = grid
        self.selection = selection
        self.encoder = encoder
        self.queries = queries
        self.decoder = decoder
        self.num_classes = num_classes
        self.levels = levels
        self.padding_training = padding_training
        self.padding_evaluation = padding_evaluation
        for name, parameter in self.parameters_and_names():  # not as the last part that took it
            parameter.name = name

    def padding(self) -> str:
        """The padding mode of the graph being compiled: "none", "partial" or "full"."""
        return self.padding_training if self.training else self.padding_evaluation

    def isolated(self) -> bool:
        """Whether the graph being compiled keeps an image's result from seeing any padding."""
        return self.padding() == "full"

    def shapes(self, images: Tensor) -> Shapes:
        """(rows, columns) of each level for padded images [B, 3, H, W]."""
        return level_shapes(images.shape[2], images.shape[3], self.levels)

    def query_count(self, height: int, width: int) -> int:
        """Queries Q for padded images of height x width pixels."""
        tokens = 0
        for rows, columns in level_shapes(height, width, self.levels):
            tokens += rows * columns
        return self.queries.count(tokens)

    def choices(self, height: int, width: int) -> list[Choice]:
        """Where scores decide what goes on, in the order of the computation."""
        tokens = sum(rows * columns for rows, columns in level_shapes(height, width, self.levels))
        encoder = self.encoder.choices(self.selection.counts(tokens))
        return [*self.selection.choices(tokens), *encoder, *self.queries.choices(tokens)]

    def build_grid(self, images: Tensor, image_sizes: Tensor) -> Grid:
        """The grid of a batch: [B, 3, H, W] and [B, 2] int32."""
        padded = (images.shape[2], images.shape[3])
        return self.grid(image_sizes, self.shapes(images), padded, self.padding())

    def features(
        self, images: Tensor, image_sizes: Tensor, grid: Grid, branch_draws: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Neck maps of all levels."""
        if not self.isolated():
            return self.neck(self.extract(images, None, branch_draws), None)
        maps = self.extract(images, image_sizes, branch_draws)
        return self.neck(maps, self.masks(images, grid))

    def extract(
        self, images: Tensor, image_sizes: Tensor | None, branch_draws: Tensor | None
    ) -> tuple[Tensor, ...]:
        """The backbone's maps; only one with stochastic depth is given draws."""
        if branch_draws is None:
            return self.backbone(images, image_sizes)
        return self.backbone(images, image_sizes, branch_draws)

    def masks(self, images: Tensor, grid: Grid) -> tuple[Tensor, ...]:
        """Which cells of each level's map are image."""
        return self.level_masks(grid["valid"], self.shapes(images))

    def tokens(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Flatten maps level-major and row-major: [B, N, C]."""
        flat = ()
        for level_map in maps:
            flat += (self.map_to_tokens(level_map),)  # [B, h*w, C]
        return ops.concat(flat, axis=1)

    def select(self, tokens: Tensor, grid: Grid, shapes: Shapes) -> Selection:
        """Which of the tokens [B, N, C] the encoder refines."""
        return self.selection(tokens, grid, shapes, self.isolated())

    def encode(self, tokens: Tensor, selection: Selection, grid: Grid, shapes: Shapes) -> Encoded:
        """Refine the selected ones of the tokens [B, N, C]."""
        counts = self.selection.counts(tokens.shape[1])
        return self.encoder(tokens, selection, counts, grid, shapes)

    def propose(self, memory: Tensor, grid: Grid) -> Queries:
        """The decoder's queries, for memory [B, N, C]."""
        return self.queries(memory, grid, self.isolated())

    def decode(
        self,
        queries: Queries,
        denoising: DenoisingInput | None,
        memory: Tensor,
        grid: Grid,
        shapes: Shapes,
    ) -> Decoded:
        """Predict from memory [B, N, C] for the queries, denoising queries before them."""
        real = queries["real"]
        bias = (1.0 - real)[:, None, None, :] * BLOCKED  # [B, 1, 1, Q]
        if denoising is not None:
            slots = denoising["content"].shape[1]
            visible = ops.zeros((real.shape[0], 1, 1, slots), ms.float32)
            bias = ops.concat((visible, bias), axis=-1)  # [B, 1, 1, D+Q]
            bias = bias + denoising["blocked"].astype(ms.float32) * BLOCKED  # [B, 1, D+Q, D+Q]
            queries = self.joined(denoising, queries)
        return self.decoder(queries, bias, memory, grid, shapes, self.isolated())

    def joined(self, denoising: DenoisingInput, queries: Queries) -> Queries:
        """Denoising queries and the others behind them: [B, D+Q, C] and [B, D+Q, 4]."""
        both: Queries = {
            "content": ops.concat((denoising["content"], queries["content"]), axis=1),
            "references": ops.concat((denoising["references"], queries["references"]), axis=1),
            "real": queries["real"],
        }
        if not self.decoder.follows_boxes:
            source: PlacingSource = self.queries
            noised = source.position(denoising["references"])  # [B, D, C]
            both["position"] = ops.concat((noised, queries["position"]), axis=1)  # [B, D+Q, C]
        return both

    def construct(
        self,
        images: Tensor,
        image_sizes: Tensor,
        denoising: DenoisingInput | None = None,
        branch_draws: Tensor | None = None,
    ) -> Outputs:
        """Detect.

        Args:
            images: [B, 3, H, W] float32, normalised, zero-padded right and below.
            image_sizes: [B, 2] int32, (height, width) of each image inside the padding.
            denoising: denoising queries (training only).
            branch_draws: [B, branches] of the backbone's stochastic depth, or None for none.
        """
        shapes, grid = self.shapes(images), self.build_grid(images, image_sizes)
        tokens = self.tokens(self.features(images, image_sizes, grid, branch_draws))  # [B, N, C]
        selection = self.select(tokens, grid, shapes)
        encoded = self.encode(tokens, selection, grid, shapes)
        queries = self.propose(encoded["memory"], grid)
        decoded = self.decode(queries, denoising, encoded["memory"], grid, shapes)
        return {
            "grid": grid,
            "selection": selection,
            "encoded": encoded,
            "queries": queries,
            "decoded": decoded,
        }
