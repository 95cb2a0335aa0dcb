"""What a source of queries hands to the decoder."""

from __future__ import annotations

from typing import Protocol, TypedDict

from mindspore import Tensor

from focus_detr.models.grid import Grid
from focus_detr.models.tokens import Choice


class AllQueries(TypedDict):
    """What every source gives."""

    content: Tensor  # [B, Q, C]
    references: Tensor  # [B, Q, 4] first boxes, cx cy w h in 0..1, or [B, Q, 2] first points
    real: Tensor  # [B, Q] float32: 0 for a query that only padding could fill


class Queries(AllQueries, total=False):
    """The decoder's queries; what is left out, their source does not have."""

    position: Tensor  # [B, Q, C], for decoders without positions of their own
    logits: Tensor  # [B, Q or N, classes] of the encoder, for its loss
    boxes: Tensor  # [B, Q or N, 4] likewise


class QuerySource(Protocol):
    """A way to get the decoder's queries."""

    def count(self, tokens: int) -> int:
        """Number Q of queries, for N tokens."""

    def choices(self, tokens: int) -> list[Choice]:
        """Where scores of N tokens decide."""

    def __call__(self, memory: Tensor, grid: Grid, isolated: bool) -> Queries:
        """Make the queries.

        Args:
            memory: [B, N, C].
            grid: of the batch.
            isolated: whether an image's result must not depend on padding.
        """


class PlacingSource(QuerySource, Protocol):
    """A source whose constant positions follow from boxes, so that it has some for any boxes."""

    def position(self, references: Tensor) -> Tensor:
        """Positions of boxes, such as denoising queries': [B, D, 4] -> [B, D, C]."""
