"""Sparse DETR's encoder: all layers refine the same tokens, which are carried along."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.encoder.encoding import Encoded
from focus_detr.models.encoder.heads import EncoderHeads
from focus_detr.models.encoder.layer import EncoderLayer, dual_choices
from focus_detr.models.encoder.listed import list_tokens
from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import Choice, gather_tokens, places, scatter_tokens


class SparseEncoder(nn.Cell):
    """Layers that refine one list of tokens; what is not on it stays as it is.

    In a batch with padding the list of a smaller image goes on behind its own share. These tokens
    are refined and predict, but are never written back, so that no other token reads them.

    Args:
        layers: of the encoder.
        heads: predict after the first layers, in training; None: no layer predicts.
        reads_memory: whether deformable attention reads refined tokens; otherwise the neck's.
    """

    def __init__(
        self,
        layers: list[EncoderLayer],
        heads: EncoderHeads | None,
        *,
        reads_memory: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.CellList(layers)
        self.has_heads = heads is not None
        if heads is not None:
            self.heads = heads
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
        """As described at ``TokenEncoder``; every layer's list is the whole one."""
        listed = list_tokens(selection, grid)
        chosen, place = listed["chosen"], places(counts[0])
        limits = ops.split(selection["limits"], 1, axis=1)  # [B, 1] per layer
        written = ops.split(selection["written"], 1, axis=1)  # likewise
        memory, query, refined = tokens, gather_tokens(tokens, chosen), ()  # query: [B, K, C]
        for index, layer in enumerate(self.layers):
            query = layer(
                query,
                listed["position"],
                listed["references"],
                listed["scores"],
                place < limits[index],  # [B, K]
                memory if self.reads_memory else tokens,
                grid["valid"],
                shapes,
            )
            memory = scatter_tokens(memory, chosen, query, place >= written[index])
            refined += (query,)
        if self.has_heads and self.training:
            proposals = gather_tokens(grid["proposals"], chosen)  # [B, K, 4]
            logits, boxes = self.heads(refined, proposals)
            return {"memory": memory, "logits": logits, "boxes": boxes}
        return {"memory": memory}
