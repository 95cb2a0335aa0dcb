"""The grid of a padded batch: all that depends on shapes and image sizes, worked out once.

An image lies at the upper left of every level, so on each level two numbers say which cells are
image: how many columns and how many rows. All other values follow from them and from constants of
the shapes, for the tokens of all levels at once. ``geometry.py`` has the same level by level.

Without masked padding nothing depends on the images: then the grid is a constant of the graph.
"""

from __future__ import annotations

from typing import TypedDict

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid_constants import (
    OUTSIDE,
    cell_limits,
    full_grid,
    full_table,
    position_lines,
    proposal_constants,
    token_cells,
    token_levels,
)
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.tokens import gather_tokens


class Grid(TypedDict):
    """Geometry of a padded batch; tokens are level-major and row-major."""

    extents: Tensor  # [B, L, 2] float32: (columns, rows) of each level that are image
    valid: Tensor  # [B, N] float32: 1 where the token is image
    ratios: Tensor  # [B, L, 2]: share of each level that is image, (width, height)
    references: Tensor  # [B, N, L, 2]: where each token looks first on every level, (x, y)
    proposals: Tensor  # [B, N, 4]: logits of the box that each token proposes, cx cy w h
    usable: Tensor  # [B, N] float32: 1 where that box may be used
    position: Tensor  # [B, N, C]: position and level embedding


class GridBuilder(nn.Cell):
    """Builds the grid from the sizes of the images.

    Args:
        embedding: of rows and columns.
        level_embed: [L, C], added to the positions of each level.
    """

    def __init__(self, embedding: SinePositionEmbedding, level_embed: Parameter) -> None:
        super().__init__()
        self.embedding = embedding
        self.level_embed = level_embed

    def construct(
        self, image_sizes: Tensor, shapes: Shapes, padded: tuple[int, int], padding: str
    ) -> Grid:
        """Build.

        Args:
            image_sizes: [B, 2] int32, (height, width) of each image inside the padding.
            shapes: (rows, columns) of each level.
            padded: (height, width) of the batch, pixels.
            padding: as in ``config.schema.PaddingConfig``.
        """
        if padding == "none":
            return self.unpadded(image_sizes.shape[0], shapes)
        return self.padded(image_sizes, shapes, padded, padding)

    def unpadded(self, batch: int, shapes: Shapes) -> Grid:
        """The grid of images that fill the batch."""
        extents, valid, ratios, references, proposals, usable = full_grid(batch, shapes)
        embedding = self.embedding
        table = full_table(shapes, embedding.width, embedding.temperature, embedding.offset)
        lines = position_lines(shapes)[2]  # [N, 2]
        sine = ops.gather(table, lines.reshape(-1), 0)  # [N*2, C/2]
        position = self._with_level(sine.reshape(lines.shape[0], -1), shapes)  # [N, C]
        return {
            "extents": extents,
            "valid": valid,
            "ratios": ratios,
            "references": references,
            "proposals": proposals,
            "usable": usable,
            "position": ops.broadcast_to(position[None], (batch, *position.shape)),
        }

    def padded(
        self, image_sizes: Tensor, shapes: Shapes, padded: tuple[int, int], padding: str
    ) -> Grid:
        """The grid of images that may be smaller than the batch."""
        extents = self.extents(image_sizes, shapes, padded, padding)
        (cells, cell_centres), (levels, sizes) = token_cells(shapes), token_levels(shapes)
        extent = ops.gather(extents, levels, 1)  # [B, N, 2]
        inside = cells < extent  # [B, N, 2]
        is_image = inside.astype(ms.float32)
        valid = is_image[..., 0] * is_image[..., 1]  # [B, N]
        centres = cell_centres / extent  # [B, N, 2]
        ratios = extents / sizes  # [B, L, 2]
        usable = self.usable(extent, shapes) * valid
        return {
            "extents": extents,
            "valid": valid,
            "ratios": ratios,
            "references": centres[:, :, None, :] * ratios[:, None, :, :],  # [B, N, L, 2]
            "proposals": self.proposals(centres, usable, shapes),
            "usable": usable,
            "position": self.position(extents, inside, shapes),
        }

    def extents(
        self, image_sizes: Tensor, shapes: Shapes, padded: tuple[int, int], padding: str
    ) -> Tensor:
        """(columns, rows) of each level that are image: [B, L, 2] float32."""
        limits, factors = cell_limits(shapes, padded, padding)  # [L, 2, cells], [L, 2]
        pixels = image_sizes.astype(ms.float32)
        pixels = ops.stack((pixels[:, 1], pixels[:, 0]), axis=-1)  # [B, 2]
        reach = pixels[:, None, :] * factors  # [B, L, 2]
        inside = limits < reach[..., None]  # [B, L, 2, cells]
        return inside.astype(ms.float32).sum(axis=-1)

    def usable(self, extent: Tensor, shapes: Shapes) -> Tensor:
        """Where the proposal lies strictly inside (0.01, 0.99): [B, N, 2] -> [B, N].

        In whole numbers, as centres of 50 cells lie on the limits: programs that multiply by 1/50
        would get another row than those that divide by 50.
        """
        hundredths, _, small = proposal_constants(shapes)  # [N, 2], -, [N]
        inside = ops.logical_and(hundredths > extent, hundredths < extent * 99.0)
        inside = inside.astype(ms.float32)  # [B, N, 2]
        return inside[..., 0] * inside[..., 1] * small

    def proposals(self, centres: Tensor, usable: Tensor, shapes: Shapes) -> Tensor:
        """Logits of the boxes: [B, N, 2], [B, N] -> [B, N, 4]; unusable ones lie beyond all."""
        inside = ops.clamp(centres, 1e-6, 1 - 1e-6)
        logits = ops.log(inside / (1.0 - inside))  # [B, N, 2]
        sides = ops.broadcast_to(proposal_constants(shapes)[1], logits.shape)  # [B, N, 2]
        boxes = ops.concat((logits, sides), axis=-1)  # [B, N, 4]
        keep = ops.broadcast_to(usable[..., None] > 0.5, boxes.shape)
        return ops.select(keep, boxes, ops.full_like(boxes, OUTSIDE))

    def position(self, extents: Tensor, inside: Tensor, shapes: Shapes) -> Tensor:
        """Position plus level embedding: [B, N, C].

        Each row and column is embedded once and looked up for its tokens. In a padded row or
        column all counts across it are 0, as in the reference.

        Args:
            extents: [B, L, 2].
            inside: [B, N, 2] bool, whether the token's column and row are image.
            shapes: (rows, columns) of each level.
        """
        counts, slots, lines = position_lines(shapes)  # [R], [R], [N, 2]
        batch, tokens = inside.shape[:2]
        totals = extents.reshape(batch, -1)  # [B, L*2]
        totals = ops.concat((totals, ops.zeros((batch, 1), ms.float32)), axis=1)  # [B, L*2 + 1]
        total = ops.gather(totals, slots, 1)  # [B, R]
        table = self.embedding(ops.minimum(counts, total), total)  # [B, R, C/2]
        nowhere = ops.full_like(lines, counts.shape[0] - 1)  # [N, 2]
        # the row's place counts where the column is image, and the other way round
        chosen = ops.select(
            inside,
            ops.broadcast_to(lines, inside.shape),
            ops.broadcast_to(nowhere, inside.shape),
        )
        sine = gather_tokens(table, chosen.reshape(batch, tokens * 2))  # [B, N*2, C/2]
        return self._with_level(sine.reshape(batch, tokens, -1), shapes)  # [B, N, C]

    def _with_level(self, position: Tensor, shapes: Shapes) -> Tensor:
        """[..., N, C] with the level's embedding added."""
        levels = ops.gather(self.level_embed, token_levels(shapes)[0], 0)  # [N, C]
        # a sum of different shapes would hold much memory (docs/products.md)
        return position + ops.broadcast_to(levels, position.shape)
