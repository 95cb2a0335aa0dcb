"""Dual-attention encoder with cascaded token selection (algorithm 1)."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.models.dual_attention import DualAttention
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import FeedForward
from focus_detr.models.tokens import gather_tokens, scatter_tokens
from focus_detr.ops.msda import MSDeformableAttention


class EncoderLayer(nn.Cell):
    """Dual attention, deformable attention over all tokens, feed-forward; post-norm."""

    def __init__(
        self,
        dual_attention: DualAttention | None,
        deformable: MSDeformableAttention,
        ffn: FeedForward,
        width: int,
    ) -> None:
        super().__init__()
        self.has_dual_attention = dual_attention is not None
        if dual_attention is not None:
            self.dual_attention = dual_attention
        self.deformable = deformable
        self.norm1 = LayerNorm(width)
        self.ffn = ffn
        self.norm2 = LayerNorm(width)

    def construct(
        self,
        query: Tensor,
        position: Tensor,
        class_logits: Tensor,
        foreground: Tensor,
        limit: Tensor,
        value_tokens: Tensor,
        valid: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
    ) -> Tensor:
        """Refine the kept tokens.

        Args:
            query: [B, K, C] kept tokens.
            position: [B, K, C] their position and level embedding.
            class_logits: [B, K, classes] of the MCSP head on ``query``.
            foreground: [B, K] foreground logits.
            limit: [B] int32, how many of the K take part in the dual attention.
            value_tokens: [B, N, C] tokens that deformable attention reads.
            valid: [B, N] float32.
            shapes: grid of each level.
            references: [B, K, L, 2].

        Returns:
            [B, K, C].
        """
        if self.has_dual_attention:
            query = self.dual_attention(query, position, class_logits, foreground, limit)
        value = self.deformable.project_value(value_tokens, valid)
        query = self.deformable(query + position, value, shapes, references, query)
        return self.norm2(self.ffn(self.norm1(query)))


class Encoder(nn.Cell):
    """Layers that refine fewer and fewer of the ranked tokens; the others stay as they are."""

    def __init__(self, layers: list[EncoderLayer], *, value: str = "backbone") -> None:
        super().__init__()
        self.layers = nn.CellList(layers)
        self.reads_memory = value == "memory"

    def construct(
        self,
        tokens: Tensor,
        position: Tensor,
        foreground: Tensor,
        valid: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        ranked: Tensor,
        counts: tuple[int, ...],
        limits: Tensor,
        written: Tensor,
        category_heads: nn.CellList,
    ) -> Tensor:
        """Encode.

        Args:
            tokens: [B, N, C] flattened neck features.
            position: [B, N, C].
            foreground: [B, N] masked foreground logits.
            valid: [B, N] float32.
            shapes: grid of each level.
            references: [B, N, L, 2].
            ranked: [B, K] int32 from the token ranking.
            counts: length of each layer's list, static.
            limits: [B, layers] int32.
            written: [B, layers] int32.
            category_heads: the class head that each layer's MCSP uses.

        Returns:
            [B, N, C] memory.
        """
        memory = tokens
        for index, layer in enumerate(self.layers):
            chosen = ranked[:, : counts[index]]  # [B, K]
            refined = self.refine(
                layer,
                category_heads[index],
                memory,
                memory if self.reads_memory else tokens,
                position,
                foreground,
                valid,
                shapes,
                references,
                chosen,
                limits[:, index],
            )
            place = ops.arange(counts[index]).astype(ms.int32)[None, :]
            untouched = place >= written[:, index : index + 1]  # [B, K]
            memory = scatter_tokens(memory, chosen, refined, untouched)
        return memory

    def refine(
        self,
        layer: EncoderLayer,
        category_head: nn.Cell,
        memory: Tensor,
        value_tokens: Tensor,
        position: Tensor,
        foreground: Tensor,
        valid: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        chosen: Tensor,
        limit: Tensor,
    ) -> Tensor:
        """One layer on the chosen tokens ([B, K] int32): [B, K, C]."""
        query = gather_tokens(memory, chosen)  # [B, K, C]
        levels = references.shape[2]
        flat_references = references.reshape(references.shape[0], -1, levels * 2)  # [B, N, 2L]
        places = gather_tokens(flat_references, chosen)  # [B, K, 2L]
        places = places.reshape(query.shape[0], -1, levels, 2)  # [B, K, L, 2]
        chosen_foreground = gather_tokens(foreground[..., None], chosen)[..., 0]  # [B, K]
        return layer(
            query,
            gather_tokens(position, chosen),  # [B, K, C]
            category_head(query),
            chosen_foreground,
            limit,
            value_tokens,
            valid,
            shapes,
            places,
        )
