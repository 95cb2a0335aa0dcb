"""Decoder of DINO: deformable cross attention, box refinement, look-forward-twice."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import box_sigmoid, inverse_sigmoid
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import MLP, FeedForward, MultiHeadAttention
from focus_detr.models.positions import BoxSineEmbedding
from focus_detr.ops.msda import MSDeformableAttention


class DecoderLayer(nn.Cell):
    """Self-attention among queries, deformable attention to the memory, feed-forward."""

    def __init__(
        self,
        self_attention: MultiHeadAttention,
        cross_attention: MSDeformableAttention,
        ffn: FeedForward,
        width: int,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.norm1 = LayerNorm(width)
        self.cross_attention = cross_attention
        self.norm2 = LayerNorm(width)
        self.ffn = ffn
        self.norm3 = LayerNorm(width)

    def construct(
        self,
        query: Tensor,
        position: Tensor,
        bias: Tensor,
        memory: Tensor,
        valid: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
    ) -> Tensor:
        """Update the queries.

        Args:
            query: [B, Q, C].
            position: [B, Q, C] from the reference boxes.
            bias: added to the self-attention logits, broadcastable to [B, M, Q, Q].
            memory: [B, N, C].
            valid: [B, N] float32.
            shapes: grid of each level.
            references: [B, Q, L, 4] boxes over each level's padded map.

        Returns:
            [B, Q, C].
        """
        query = self.norm1(self.self_attention(query, position, bias))
        value = self.cross_attention.project_value(memory, valid)
        query = self.norm2(self.cross_attention(query + position, value, shapes, references, query))
        return self.norm3(self.ffn(query))


class Decoder(nn.Cell):
    """Layers that refine boxes one after the other."""

    def __init__(self, layers: list[DecoderLayer], width: int) -> None:
        super().__init__()
        self.layers = nn.CellList(layers)
        self.box_embedding = BoxSineEmbedding(width)
        self.reference_head = MLP(2 * width, width, width, 2)
        self.norm = LayerNorm(width)

    def construct(
        self,
        query: Tensor,
        boxes: Tensor,
        bias: Tensor,
        memory: Tensor,
        valid: Tensor,
        shapes: tuple[tuple[int, int], ...],
        ratios: Tensor,
        box_heads: nn.CellList,
        embeds_padded: bool,
    ) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            query: [B, Q, C] content.
            boxes: [B, Q, 4] first references, cx cy w h in 0..1 of the valid region.
            bias: self-attention bias, broadcastable to [B, M, Q, Q].
            memory: [B, N, C].
            valid: [B, N] float32.
            shapes: grid of each level.
            ratios: [B, L, 2] valid ratios (width, height).
            box_heads: one head per layer.
            embeds_padded: embed boxes in units of the padded map, as the reference does, instead
                of units of the image.

        Returns:
            [layers, B, Q, C] normed states and [layers, B, Q, 4] the reference that each layer's
            prediction starts from; gradients reach a head through the next layer too (look forward
            twice), but not through the boxes that a layer attends with.
        """
        scale = ops.concat((ratios, ratios), axis=-1)[:, None]  # [B, 1, L, 4]
        states, starts, start = (), (), boxes
        for index, layer in enumerate(self.layers):
            starts += (start,)
            scaled = boxes[:, :, None, :] * scale  # [B, Q, L, 4]
            embedded = self.box_embedding(scaled[:, :, 0] if embeds_padded else boxes)
            position = self.reference_head(embedded)
            query = layer(query, position, bias, memory, valid, shapes, scaled)
            start = box_sigmoid(box_heads[index](query) + inverse_sigmoid(boxes))
            boxes = ops.stop_gradient(start)
            states += (self.norm(query),)
        return ops.stack(states), ops.stack(starts)
