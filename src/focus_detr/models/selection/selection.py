"""What a token selection hands to the encoder."""

from __future__ import annotations

from typing import Protocol, TypedDict

from mindspore import Tensor

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.tokens import Choice


class Selection(TypedDict):
    """Which tokens each encoder layer refines, and the scores that say so."""

    ranked: Tensor  # [B, K] int32: token indices of the first layer, best first
    limits: Tensor  # [B, layers] int32: how many of the list take part in each layer
    written: Tensor  # [B, layers] int32: how many of the list each layer writes back
    scores: Tensor  # [B, N]: as supervised; ones where nothing is scored
    masked: Tensor  # [B, N]: as ranked, padding pushed to the end; no gradient


class TokenSelection(Protocol):
    """A way to choose the tokens that the encoder refines."""

    def counts(self, tokens: int) -> tuple[int, ...]:
        """Length of each layer's token list for N tokens, known when a graph is compiled."""

    def choices(self, tokens: int) -> list[Choice]:
        """Where scores of N tokens decide."""

    def __call__(self, tokens: Tensor, grid: Grid, shapes: Shapes, isolated: bool) -> Selection:
        """Select.

        Args:
            tokens: [B, N, C] flattened neck maps.
            grid: of the batch.
            shapes: (rows, columns) of each level.
            isolated: whether an image's result must not depend on padding.
        """
