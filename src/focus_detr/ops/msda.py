"""Multi-scale deformable attention (MSDA): Deformable DETR's attention to few places per level."""

from __future__ import annotations

from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.ops import products_custom
from focus_detr.ops.msda_composition import SamplePlaces
from focus_detr.ops.products import Dense, Linear
from focus_detr.ops.products_choice import native_products


@constexpr
def _by_head(shape: tuple[int, int, int], heads: int) -> tuple[int, int, int, int]:
    """Shape of [B, N, C] by head: (B, N, M, C/M)."""
    return *shape[:2], heads, shape[2] // heads


class MSDeformableAttention(nn.Cell):
    """MSDA with its projections; sampling and its places are float32.

    Args:
        width: channels C.
        heads: M.
        levels: L.
        points: P.
        sampling: from ``build_sampling``; has no weights and may be shared.
        dropout: of the result, while training.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        levels: int,
        points: int,
        *,
        sampling: nn.Cell,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.drops = dropout > 0
        self.dropout = nn.Dropout(p=dropout)
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = Linear(width, heads * levels * points * 2)
        self.attention_weights = Linear(width, heads * levels * points)
        self.value_proj = Dense(width, width)
        self.output_proj = Dense(width, width)
        self.sampling = sampling
        self.places = SamplePlaces()
        library = native_products()
        self.dense = self._plain if library is None else products_custom.dense(library, "none")
        # primitives: functions and shapes in brackets take longer to compile, in every layer
        self.shape, self.reshape, self.join = ops.Shape(), ops.Reshape(), ops.Concat(0)
        self.product = ops.MatMul(transpose_b=True)
        self.add_bias = ops.BiasAdd()

    def project_value(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """[B, N, C] tokens and [B, N] validity -> value [B, N, M, C/M], zero at padding."""
        value = self.value_proj.of_valid(tokens, valid)  # float32 as valid
        return self.reshape(value, _by_head(self.shape(value), self.heads))  # [B, N, M, C/M]

    def project_query(self, query: Tensor) -> Tensor:
        """Offsets and logits by one matrix product: [B, Q, C] -> [B, Q, 3*M*L*P]."""
        offsets, logits = self.sampling_offsets, self.attention_weights
        weight = self.join((offsets.weight, logits.weight))  # [3*M*L*P, C]
        bias = self.join((offsets.bias, logits.bias))  # [3*M*L*P]
        return self.dense(query, weight, bias)

    def _plain(self, query: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        batch, queries, width = query.shape
        rows = query.reshape(batch * queries, width)  # [B*Q, C]
        projected = self.add_bias(self.product(rows, weight), bias)
        return projected.reshape(batch, queries, weight.shape[0])  # [B, Q, 3*M*L*P]

    def construct(
        self,
        query: Tensor,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        residual: Tensor,
    ) -> Tensor:
        """Attend.

        Args:
            query: [B, Q, C], content plus position.
            value: [B, N, M, C/M] from ``project_value``.
            shapes: (rows, columns) of each level.
            references: [B, Q, L, 2] points (x, y), offsets in cells of the level; or [B, Q, L, 4]
                boxes (cx, cy, w, h), offsets in units of half the box per point.
            residual: [B, Q, C], added.

        Returns:
            [B, Q, C].
        """
        sampled = self.sampling(value, shapes, references, self.project_query(query))
        if self.drops and self.training:
            return residual + self.dropout(self.output_proj(sampled))
        return self.output_proj(sampled, residual)

    def traced(
        self,
        query: Tensor,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        residual: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Attend, and tell where and how much.

        Args:
            query: [B, Q, C].
            value: [B, N, M, C/M].
            shapes: of each level.
            references: [B, Q, L, 2] or [B, Q, L, 4], all as in ``construct``.
            residual: [B, Q, C].

        Returns:
            [B, Q, C]; locations [B, Q, M, L, P, 2] and weights [B, Q, M, L, P] of all samples,
            float32 and without gradient.
        """
        projected = self.project_query(query)
        sampled = self.sampling(value, shapes, references, projected)
        locations, weights = self.places(
            self.heads, shapes, ops.stop_gradient(references), ops.stop_gradient(projected)
        )
        return self.output_proj(sampled, residual), locations, weights
