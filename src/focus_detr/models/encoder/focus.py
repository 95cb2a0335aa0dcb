"""Focus-DETR's encoder: each layer refines the best tokens only (algorithm 1)."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.encoder.encoding import Encoded
from focus_detr.models.encoder.layer import EncoderLayer, dual_choices
from focus_detr.models.encoder.listed import Listed, list_tokens
from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import Choice, gather_tokens, places, scatter_tokens
from focus_detr.ops.slicing import part


class FocusEncoder(nn.Cell):
    """Layers that refine fewer and fewer of the ranked tokens; the others stay as they are.

    Args:
        layers: of the encoder.
        reads_memory: whether deformable attention reads refined tokens; otherwise the neck's.
    """

    def __init__(self, layers: list[EncoderLayer], *, reads_memory: bool = False) -> None:
        super().__init__()
        self.layers = nn.CellList(layers)
        self.reads_memory = reads_memory

    def choices(self, counts: tuple[int, ...]) -> list[Choice]:
        """Those of the dual attentions."""
        return dual_choices(self.layers, counts)

    def construct(
        self,
        tokens: Tensor,
        selection: Selection,
        counts: tuple[int, ...],
        grid: Grid,
        shapes: Shapes,
    ) -> Encoded:
        """As described at ``TokenEncoder``."""
        memory, listed = tokens, list_tokens(selection, grid)
        limits = ops.split(selection["limits"], 1, axis=1)  # [B, 1] per layer
        written = ops.split(selection["written"], 1, axis=1)  # likewise
        for index, layer in enumerate(self.layers):
            value_tokens = memory if self.reads_memory else tokens
            refined = self.refine(
                layer,
                memory,
                value_tokens,
                listed,
                counts[index],
                limits[index],
                grid["valid"],
                shapes,
            )
            untouched = places(counts[index]) >= written[index]  # [B, K]
            chosen = part(listed["chosen"], 1, 0, counts[index])  # [B, K]
            memory = scatter_tokens(memory, chosen, refined, untouched)
        return {"memory": memory}

    def refine(
        self,
        layer: EncoderLayer,
        memory: Tensor,
        value_tokens: Tensor,
        listed: Listed,
        count: int,
        limit: Tensor,
        valid: Tensor,
        shapes: Shapes,
    ) -> Tensor:
        """One layer on the first tokens of the list.

        Args:
            layer: of the encoder.
            memory: [B, N, C].
            value_tokens: [B, N, C] tokens that deformable attention reads.
            listed: the list.
            count: how many of the list the layer takes, K of the result.
            limit: [B, 1] int32, how many of these take part in the dual attention.
            valid: [B, N] float32.
            shapes: (rows, columns) of each level.

        Returns:
            [B, K, C].
        """
        return layer(
            gather_tokens(memory, part(listed["chosen"], 1, 0, count)),  # [B, K, C]
            part(listed["position"], 1, 0, count),
            part(listed["references"], 1, 0, count),
            part(listed["scores"], 1, 0, count),
            places(count) < limit,  # [B, K]
            value_tokens,
            valid,
            shapes,
        )
