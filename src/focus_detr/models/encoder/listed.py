"""What belongs to the tokens that an encoder refines, gathered once for all layers."""

from __future__ import annotations

from typing import TypedDict

from mindspore import Tensor

from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import gather_tokens


class Listed(TypedDict):
    """Of the first layer's list of K tokens."""

    chosen: Tensor  # [B, K] int32
    position: Tensor  # [B, K, C]
    references: Tensor  # [B, K, L, 2]
    scores: Tensor  # [B, K] of the selection


def list_tokens(selection: Selection, grid: Grid) -> Listed:
    """Gather."""
    chosen, references = selection["ranked"], grid["references"]
    batch, kept = chosen.shape
    levels = references.shape[2]
    flat_references = references.reshape(batch, -1, levels * 2)  # [B, N, 2L]
    looks_at = gather_tokens(flat_references, chosen)  # [B, K, 2L]
    return {
        "chosen": chosen,
        "position": gather_tokens(grid["position"], chosen),
        "references": looks_at.reshape(batch, kept, levels, 2),
        "scores": gather_tokens(selection["masked"][..., None], chosen)[..., 0],
    }
