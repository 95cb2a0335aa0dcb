"""A decoder that passes its queries through twice while training (DAC-DETR).

Self-attention keeps queries from finding the same object; cross-attention gathers several of them
on each. So the second pass, the C-decoder, has the same layers and weights without self-attention,
and each object may have several of its queries. A detection needs the first pass, the O-decoder,
alone.

Queries of the second pass stand behind those of the first, so that a layer projects the memory
once and computes the rest of both passes in one go.
"""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, ops

from focus_detr.models.decoder import Decoded, Decoder, DecoderLayer, Passed, Updated, Walked
from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.heads import Heads
from focus_detr.models.queries.queries import Queries


class GatheringLayer(DecoderLayer):
    """A layer that also takes queries without self-attention, behind the others."""

    def construct(
        self,
        query: Tensor,
        position: Tensor,
        bias: Tensor,
        memory: Tensor,
        valid: Tensor,
        shapes: Shapes,
        references: Tensor,
    ) -> Updated:
        """Update the queries; those beyond the last axis of ``bias`` attend to the memory alone."""
        own = bias.shape[-1]
        met = self.norm1(self.self_attention(query[:, :own], position[:, :own], bias))
        if query.shape[1] > own:
            met = ops.concat((met, query[:, own:]), axis=1)  # [B, O+G, C]
        return self.look(met, position, memory, valid, shapes, references)


class GatheringDecoder(Decoder):
    """A decoder with a gathering pass in training.

    Args:
        layers: ``GatheringLayer`` each.
        heads: as for ``Decoder``, as are the other arguments.
        width: C.
        shares_first: the gathering pass begins with the first layer's results, self-attention
            included, as no cross-attention precedes it (released code); otherwise it has no
            self-attention at all (the paper).
        gathers_slots: denoising queries take part.
    """

    def __init__(
        self,
        layers: list[GatheringLayer],
        heads: Heads,
        width: int,
        *,
        shares_first: bool,
        gathers_slots: bool,
        **others: Any,
    ) -> None:
        super().__init__(layers, heads, width, **others)
        self.shared_layers = 1 if shares_first else 0
        self.gathers_slots = gathers_slots

    def construct(
        self,
        queries: Queries,
        bias: Tensor,
        memory: Tensor,
        grid: Grid,
        shapes: Shapes,
        isolated: bool,
    ) -> Decoded:
        """Decode, as described at ``Decoder``; in training with ``gathered``."""
        fork, end, start = self.shared_layers, len(self.layers), queries["references"]
        around = bias, memory, grid, shapes, isolated
        own = queries["content"].shape[1]
        slots = own - queries["real"].shape[1]
        if not self.training:
            return self.decoded(self.walk(0, end, queries, start, *around), slots, shapes)
        first = 0 if self.gathers_slots else slots
        early = self.walk(0, fork, queries, start, *around)
        both, start = self.forked(early, queries, first), doubled(early["start"], first)
        later = self.walk(fork, end, both, start, *around)
        decoded = self.decoded(joined(early, later, own), slots, shapes)
        decoded["gathered"] = {
            "logits": behind(early["logits"], first) + behind(later["logits"], own),
            "boxes": behind(early["boxes"], first) + behind(later["boxes"], own),
        }
        return decoded

    def forked(self, early: Walked, queries: Queries, first: int) -> Queries:
        """The queries after the shared layers, and those from ``first`` on again behind them."""
        both: Queries = {
            "content": doubled(early["query"], first),  # [B, O+G, C]
            "references": doubled(early["references"], first),  # [B, O+G, 4 or 2]
            "real": queries["real"],
        }
        if not self.follows_boxes:
            both["position"] = doubled(queries["position"], first)  # [B, O+G, C]
        return both


def joined(early: Passed, later: Passed, own: int) -> Passed:
    """All layers of the first pass, whose queries are the first ``own`` of the later layers."""
    return {
        "logits": early["logits"] + before(later["logits"], own),
        "boxes": early["boxes"] + before(later["boxes"], own),
        "states": early["states"] + before(later["states"], own),
        "starts": early["starts"] + before(later["starts"], own),
        "locations": early["locations"] + before(later["locations"], own),
        "weights": early["weights"] + before(later["weights"], own),
    }


def doubled(values: Tensor, first: int) -> Tensor:
    """Queries, then those from ``first`` on again: [B, O, n] -> [B, O+G, n]."""
    return ops.concat((values, values[:, first:]), axis=1)


def before(values: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    """The first queries of each layer: [B, O+G, ...] -> [B, O, ...]."""
    cut = ()
    for of_layer in values:
        cut += (of_layer[:, :count],)
    return cut


def behind(values: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    """The others: [B, O+G, ...] -> [B, G, ...]."""
    cut = ()
    for of_layer in values:
        cut += (of_layer[:, count:],)
    return cut
