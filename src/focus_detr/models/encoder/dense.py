"""The encoder of Deformable DETR: every layer refines all tokens in place."""

from __future__ import annotations

from mindspore import Tensor, nn

from focus_detr.models.encoder.encoding import Encoded
from focus_detr.models.encoder.layer import EncoderLayer, dual_choices
from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import Choice


class DenseEncoder(nn.Cell):
    """Nothing is gathered or scattered; padded tokens are refined too, but nobody reads them.

    Args:
        layers: of the encoder.
        reads_memory: whether deformable attention reads refined tokens; otherwise the neck's.
    """

    def __init__(self, layers: list[EncoderLayer], *, reads_memory: bool = True) -> None:
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
        memory, valid = tokens, grid["valid"]
        for layer in self.layers:
            memory = layer(
                memory,
                grid["position"],
                grid["references"],
                selection["masked"],
                valid > 0.5,
                memory if self.reads_memory else tokens,
                valid,
                shapes,
            )
        return {"memory": memory}
