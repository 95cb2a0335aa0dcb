"""What every encoder takes and gives."""

from __future__ import annotations

from typing import Protocol, TypedDict

from mindspore import Tensor, nn

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import Choice


class Memory(TypedDict):
    """What every encoder gives."""

    memory: Tensor  # [B, N, C]


class Encoded(Memory, total=False):
    """Result of an encoder; the predictions of its layers only if these have heads."""

    logits: Tensor  # [layers, B, K, classes] of the refined tokens
    boxes: Tensor  # [layers, B, K, 4] cx cy w h


class TokenEncoder(Protocol):
    """Layers, and how tokens are carried through them."""

    layers: nn.CellList

    def choices(self, counts: tuple[int, ...]) -> list[Choice]:
        """Where scores decide, if each layer refines so many tokens."""

    def __call__(
        self,
        tokens: Tensor,
        selection: Selection,
        counts: tuple[int, ...],
        grid: Grid,
        shapes: Shapes,
    ) -> Encoded:
        """Encode.

        Args:
            tokens: [B, N, C] flattened neck maps.
            selection: of the tokens.
            counts: length of each layer's token list, known when the graph is compiled.
            grid: of the batch.
            shapes: (rows, columns) of each level.
        """
