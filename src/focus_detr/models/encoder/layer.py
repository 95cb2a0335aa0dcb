"""One encoder layer, whatever tokens it is given."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.encoder.dual_attention import DualAttention
from focus_detr.models.geometry import Shapes
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import FeedForward
from focus_detr.models.tokens import OBJECTS, Choice
from focus_detr.ops.msda import MSDeformableAttention


class EncoderLayer(nn.Cell):
    """Dual attention (or none), deformable attention to all tokens, feed-forward; post-norm."""

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
        references: Tensor,
        scores: Tensor,
        takes_part: Tensor,
        value_tokens: Tensor,
        valid: Tensor,
        shapes: Shapes,
    ) -> Tensor:
        """Refine tokens.

        Args:
            query: [B, K, C] tokens to refine.
            position: [B, K, C] their position and level embedding.
            references: [B, K, L, 2].
            scores: [B, K] of the selection, for the dual attention.
            takes_part: [B, K] bool, which of them the dual attention may choose.
            value_tokens: [B, N, C] tokens that deformable attention reads.
            valid: [B, N] float32.
            shapes: (rows, columns) of each level.

        Returns:
            [B, K, C].
        """
        if self.has_dual_attention:
            query = self.dual_attention(query, position, scores, takes_part)
        value = self.deformable.project_value(value_tokens, valid)
        query = self.deformable(query + position, value, shapes, references, query)
        return self.norm2(self.ffn(self.norm1(query)))


def dual_choices(layers: nn.CellList, counts: tuple[int, ...]) -> list[Choice]:
    """Choices of the dual attentions, for so many tokens in each layer."""
    return [
        Choice(
            OBJECTS.format(index + 1),
            layer.dual_attention,
            counts[index],
            layer.dual_attention.count(counts[index]),
        )
        for index, layer in enumerate(layers)
        if layer.has_dual_attention
    ]
