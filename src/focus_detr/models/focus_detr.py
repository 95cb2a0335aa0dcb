"""The detector: backbone, neck, foreground selector, dual-attention encoder, decoder."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Normal, initializer

from focus_detr.models.decoder import Decoder
from focus_detr.models.encoder import Encoder
from focus_detr.models.foreground_selector import ForegroundSelector
from focus_detr.models.geometry import (
    flatten_validity,
    level_shapes,
    level_validity,
    token_proposals,
    token_reference_points,
    valid_ratios,
)
from focus_detr.models.heads import predict
from focus_detr.models.layers import BLOCKED
from focus_detr.models.maps import CellMask, MapToTokens
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.neck import Neck
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.proposals import ProposalSelection
from focus_detr.models.token_ranking import TokenRanking


class FocusDETR(nn.Cell):
    """Focus-DETR from pixels to logits and boxes.

    Built by ``factory.build_model``; the sub-modules come ready-made. ``padding_training`` and
    ``padding_evaluation`` say how far padding is masked (``config.schema.PaddingConfig``); which
    one counts is decided by ``set_train`` when the graph is compiled.
    """

    def __init__(
        self,
        *,
        backbone: nn.Cell,
        neck: Neck,
        position_embedding: SinePositionEmbedding,
        memory_projection: MemoryProjection,
        foreground_selector: ForegroundSelector | None,
        ranking: TokenRanking,
        encoder: Encoder,
        proposals: ProposalSelection,
        decoder: Decoder,
        class_heads: nn.CellList,
        box_heads: nn.CellList,
        num_classes: int,
        width: int = 256,
        levels: int = 4,
        category_head: str = "encoder",
        scored_features: str = "projection",
        padding_training: str = "partial",
        padding_evaluation: str = "full",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.cell_mask, self.map_to_tokens = CellMask(), MapToTokens()
        self.position_embedding = position_embedding
        self.level_embed = Parameter(initializer(Normal(1.0), (levels, width)))
        self.memory_projection = memory_projection
        self.has_selector = foreground_selector is not None
        if foreground_selector is not None:
            self.foreground_selector = foreground_selector
        self.ranking = ranking
        self.encoder = encoder
        self.proposals = proposals
        self.decoder = decoder
        self.class_heads = class_heads
        self.box_heads = box_heads
        self.label_embed = Parameter(initializer(Normal(1.0), (num_classes, width)))
        self.num_classes = num_classes
        self.levels = levels
        self.shares_encoder_head = category_head == "encoder"
        self.scores_maps = scored_features == "map"
        self.padding_training = padding_training
        self.padding_evaluation = padding_evaluation

    def padding(self) -> str:
        """The padding mode of the graph being compiled: "none", "partial" or "full"."""
        return self.padding_training if self.training else self.padding_evaluation

    def query_count(self, height: int, width: int) -> int:
        """Queries Q for padded images of height x width pixels: at most one per token."""
        tokens = 0
        for rows, columns in level_shapes(height, width, self.levels):
            tokens += rows * columns
        return min(self.proposals.queries, tokens)

    def validity(self, images: Tensor, image_sizes: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """Row and column validity of each level: ([B, h], [B, w]) pairs."""
        return level_validity(image_sizes, images.shape[2:], self.levels, self.padding())

    def features(
        self,
        images: Tensor,
        image_sizes: Tensor,
        validity: tuple[tuple[Tensor, Tensor], ...],
        branch_draws: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Neck maps of all levels."""
        if self.padding() != "full":
            return self.neck(self.extract(images, None, branch_draws), None)
        masks = ()
        for row_valid, column_valid in validity:
            masks += (self.cell_mask(row_valid, column_valid),)
        return self.neck(self.extract(images, image_sizes, branch_draws), masks)

    def extract(
        self, images: Tensor, image_sizes: Tensor | None, branch_draws: Tensor | None
    ) -> tuple[Tensor, ...]:
        """The backbone's maps; only one with stochastic depth is given draws."""
        if branch_draws is None:
            return self.backbone(images, image_sizes)
        return self.backbone(images, image_sizes, branch_draws)

    def tokens(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Flatten maps level-major and row-major: [B, N, C]."""
        flat = ()
        for level_map in maps:
            flat += (self.map_to_tokens(level_map),)  # [B, h*w, C]
        return ops.concat(flat, axis=1)

    def positions(self, validity: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
        """Position plus level embedding of all tokens: [B, N, C]."""
        embedded = ()
        for level, (row_valid, column_valid) in enumerate(validity):
            embedded += (
                self.position_embedding(row_valid, column_valid, self.level_embed[level]),
            )  # [B, h*w, C]
        return ops.concat(embedded, axis=1)

    def selector_features(
        self, tokens: Tensor, position: Tensor, validity: tuple[tuple[Tensor, Tensor], ...]
    ) -> Tensor:
        """What the foreground selector scores: [B, N, C]."""
        if self.scores_maps:
            return tokens
        _, usable = token_proposals(validity)
        return self.memory_projection(tokens + position, usable)

    def selector_inputs(
        self,
        scored: Tensor,
        validity: tuple[tuple[Tensor, Tensor], ...],
        shapes: tuple[tuple[int, int], ...],
    ) -> tuple[tuple, tuple, tuple]:
        """[B, N, C] as the foreground selector takes it: features, validity, counted tokens."""
        features, counted, extents, start = (), (), (), 0
        for level, (rows, columns) in enumerate(shapes):
            row_valid, column_valid = validity[level]
            features += (scored[:, start : start + rows * columns],)  # [B, h*w, C]
            start += rows * columns
            if self.padding() != "full":
                row_valid = ops.ones_like(row_valid)
                column_valid = ops.ones_like(column_valid)
            extents += ((row_valid, column_valid),)
            counted += (flatten_validity(((row_valid, column_valid),)),)
        return features, extents, counted

    def category_heads(self) -> tuple[nn.Cell, ...]:
        """The class head that each encoder layer's MCSP uses."""
        heads = ()
        for index in range(len(self.encoder.layers)):
            heads += (self.class_heads[-1 if self.shares_encoder_head else index],)
        return heads

    def encode(
        self,
        tokens: Tensor,
        position: Tensor,
        validity: tuple[tuple[Tensor, Tensor], ...],
        shapes: tuple[tuple[int, int], ...],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Select and refine tokens.

        Returns:
            memory [B, N, C]; raw foreground logits [B, N]; ranked [B, K] int32 token indices;
            written [B, layers] int32, how many of them each layer refined.
        """
        valid = flatten_validity(validity)
        if self.has_selector:
            scored = self.selector_features(tokens, position, validity)
            levels = self.foreground_selector(*self.selector_inputs(scored, validity, shapes))
            scores = ops.concat(levels, axis=1)[..., 0]  # [B, N]
        else:
            scores = ops.ones_like(valid)
        masked = self.ranking.mask_scores(scores, valid, self.padding())
        ranked, limits, written = self.ranking(masked, valid, self.padding())
        memory = self.encoder(
            tokens,
            position,
            ops.stop_gradient(masked),
            valid,
            shapes,
            token_reference_points(validity),
            ranked,
            self.ranking.static_counts(tokens.shape[1]),
            limits,
            written,
            self.category_heads(),
        )
        return memory, scores, ranked, written

    def propose(
        self, memory: Tensor, validity: tuple[tuple[Tensor, Tensor], ...]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Two-stage proposals.

        Returns:
            query content [B, Q, C]; boxes [B, Q, 4]; encoder logits [B, Q, classes] of the chosen
            tokens; chosen [B, Q] int32; slot validity [B, Q] float32.
        """
        boxes, usable = token_proposals(validity)
        projected = self.memory_projection(memory, usable)
        logits = self.class_heads[-1](projected)
        box_logits = self.box_heads[-1](projected) + self.proposals.unsigmoid(boxes, usable)
        valid = flatten_validity(validity)
        chosen, is_real = self.proposals.choose(logits, valid, self.padding())
        selected, boxes, content = self.proposals(projected, box_logits, chosen)
        return content, boxes, self.class_heads[-1](selected), chosen, is_real

    def decode(
        self,
        content: Tensor,
        boxes: Tensor,
        bias: Tensor,
        memory: Tensor,
        validity: tuple[tuple[Tensor, Tensor], ...],
        shapes: tuple[tuple[int, int], ...],
    ) -> tuple[Tensor, Tensor]:
        """Decoder and heads: logits [layers, B, Q, classes], boxes [layers, B, Q, 4]."""
        states, starts = self.decoder(
            content,
            boxes,
            bias,
            memory,
            flatten_validity(validity),
            shapes,
            valid_ratios(validity),
            self.box_heads,
            self.padding() != "full",
        )
        return predict(states, starts, self.class_heads, self.box_heads)

    def construct(
        self,
        images: Tensor,
        image_sizes: Tensor,
        denoising_content: Tensor | None = None,
        denoising_boxes: Tensor | None = None,
        denoising_blocked: Tensor | None = None,
        branch_draws: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Detect.

        Args:
            images: [B, 3, H, W] float32, normalised, zero-padded right and below.
            image_sizes: [B, 2] int32, (height, width) of each image inside the padding.
            denoising_content: [B, D, C] denoising queries (training only), put before the others.
            denoising_boxes: [B, D, 4] their boxes in 0..1.
            denoising_blocked: [D+Q, D+Q] bool, True hides the key (column) from the query (row).
            branch_draws: [B, branches] of the backbone's stochastic depth, or None for none.

        Returns:
            logits [layers, B, D+Q, classes]; boxes [layers, B, D+Q, 4] (cx cy w h over the image);
            encoder logits [B, Q, classes]; encoder boxes [B, Q, 4]; foreground logits [B, N];
            slot validity [B, Q]; ranked tokens [B, K] int32; refined counts [B, layers] int32.
        """
        shapes = level_shapes(images.shape[2], images.shape[3], self.levels)
        validity = self.validity(images, image_sizes)
        tokens = self.tokens(self.features(images, image_sizes, validity, branch_draws))
        memory, scores, ranked, written = self.encode(
            tokens, self.positions(validity), validity, shapes
        )
        content, encoder_boxes, encoder_logits, _, is_real = self.propose(memory, validity)
        boxes = ops.stop_gradient(encoder_boxes)
        bias = (1.0 - is_real)[:, None, None, :] * BLOCKED  # [B, 1, 1, Q]
        if denoising_content is not None and denoising_blocked is not None:
            slots = denoising_content.shape[1]
            content = ops.concat((denoising_content, content), axis=1)  # [B, D+Q, C]
            boxes = ops.concat((denoising_boxes, boxes), axis=1)  # [B, D+Q, 4]
            visible = ops.zeros((is_real.shape[0], 1, 1, slots), ms.float32)
            bias = ops.concat((visible, bias), axis=-1)  # [B, 1, 1, D+Q]
            bias = bias + denoising_blocked.astype(ms.float32) * BLOCKED  # [B, 1, D+Q, D+Q]
        logits, boxes = self.decode(content, boxes, bias, memory, validity, shapes)
        return (
            logits,
            boxes,
            encoder_logits,
            encoder_boxes,
            scores,
            is_real,
            ranked,
            written,
        )
