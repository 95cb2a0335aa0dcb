"""The decoder: deformable attention to the memory, boxes refined from layer to layer."""

from __future__ import annotations

from typing import TypedDict

from mindspore import Tensor, nn, ops

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.heads import Heads
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import MLP, FeedForward, MultiHeadAttention
from focus_detr.models.positions import BoxSineEmbedding
from focus_detr.models.queries.queries import Queries
from focus_detr.ops.decoder_attention_map import DecoderAttentionMap
from focus_detr.ops.msda import MSDeformableAttention


class Predicted(TypedDict):
    """What every layer of the decoder makes of the queries; a tuple has an item per layer."""

    logits: tuple[Tensor, ...]  # [B, Q, classes]
    boxes: tuple[Tensor, ...]  # [B, Q, 4] cx cy w h
    states: tuple[Tensor, ...]  # [B, Q, C] that the predictions are made of
    starts: tuple[Tensor, ...]  # [B, Q, 4 or 2] that the boxes start from


class Gathered(TypedDict):
    """What a gathering pass predicts; a tuple has an item per layer."""

    logits: tuple[Tensor, ...]  # [B, D+Q or Q, classes]
    boxes: tuple[Tensor, ...]  # [B, D+Q or Q, 4] cx cy w h


class Decoded(Predicted, total=False):
    """Result of a decoder, with what few decoders have."""

    attention_map: Tensor  # [B, N], of where the queries of all layers looked
    gathered: Gathered  # in training, of a decoder that gathers


class Passed(Predicted):
    """What some layers made of the queries, and where these looked."""

    locations: tuple[Tensor, ...]  # [B, Q, M, L, P, 2], if the layers tell them
    weights: tuple[Tensor, ...]  # [B, Q, M, L, P]


class Walked(Passed):
    """The same, and how the queries go on to the next layer."""

    query: Tensor  # [B, Q, C]
    references: Tensor  # [B, Q, 4 or 2]
    start: Tensor  # [B, Q, 4 or 2] that the next layer's boxes start from


class Refined(TypedDict):
    """Queries after a layer."""

    query: Tensor  # [B, Q, C]


class Updated(Refined, total=False):
    """And where they looked, if the layer tells it."""

    locations: Tensor  # [B, Q, M, L, P, 2]
    weights: Tensor  # [B, Q, M, L, P]


class DecoderLayer(nn.Cell):
    """Self-attention among queries, deformable attention to the memory, feed-forward.

    Args:
        self_attention: among the queries.
        cross_attention: to the memory.
        ffn: feed-forward.
        width: C.
        traces: tell where the queries look.
    """

    def __init__(
        self,
        self_attention: MultiHeadAttention,
        cross_attention: MSDeformableAttention,
        ffn: FeedForward,
        width: int,
        *,
        traces: bool = False,
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.norm1 = LayerNorm(width)
        self.cross_attention = cross_attention
        self.norm2 = LayerNorm(width)
        self.ffn = ffn
        self.norm3 = LayerNorm(width)
        self.traces = traces

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
        """Update the queries.

        Args:
            query: [B, Q, C].
            position: [B, Q, C].
            bias: added to the self-attention logits, broadcastable to [B, M, Q, Q].
            memory: [B, N, C].
            valid: [B, N] float32.
            shapes: (rows, columns) of each level.
            references: [B, Q, L, 4] boxes or [B, Q, L, 2] points over each level's padded map.
        """
        query = self.norm1(self.self_attention(query, position, bias))
        return self.look(query, position, memory, valid, shapes, references)

    def look(
        self,
        query: Tensor,
        position: Tensor,
        memory: Tensor,
        valid: Tensor,
        shapes: Shapes,
        references: Tensor,
    ) -> Updated:
        """What follows the self-attention, in which no query knows of another."""
        value = self.cross_attention.project_value(memory, valid)
        if self.traces:
            query, locations, weights = self.cross_attention.traced(
                query + position, value, shapes, references, query
            )
            query = self.norm3(self.ffn(self.norm2(query)))
            return {"query": query, "locations": locations, "weights": weights}
        query = self.norm2(self.cross_attention(query + position, value, shapes, references, query))
        return {"query": self.norm3(self.ffn(query))}


def on_padded_maps(references: Tensor, ratios: Tensor) -> Tensor:
    """Boxes or points of the image over each level's padded map: [B, Q, n] -> [B, Q, L, n].

    Args:
        references: [B, Q, 4 or 2].
        ratios: [B, L, 4], how much of the padded map's width and height is image, twice.
    """
    scale = ratios if references.shape[-1] == 4 else ratios[..., :2]  # [B, L, 4 or 2]
    return ops.expand_dims(references, 2) * ops.expand_dims(scale, 1)


class Decoder(nn.Cell):
    """Layers that update the queries one after the other.

    Args:
        layers: of the decoder.
        heads: that predict after each layer.
        width: C.
        reference_head: makes a query's position of its box's sine code, anew for each layer; None:
            the queries bring positions that all layers use.
        query_scale: multiplies these from the second layer on, as the query says; None: nothing.
        norm: of the states that predictions are made of; None: they are the layer's own.
        refines: each layer starts from the boxes of the one before; otherwise all start from the
            first references.
        looks_twice: a layer's prediction starts from boxes whose gradient reaches the layer before.
        attention_map: of where all layers look, which have to be built so that they tell it; None:
            no map.
    """

    def __init__(
        self,
        layers: list[DecoderLayer],
        heads: Heads,
        width: int,
        *,
        reference_head: MLP | None,
        query_scale: MLP | None = None,
        norm: LayerNorm | None = None,
        refines: bool = True,
        looks_twice: bool = False,
        attention_map: DecoderAttentionMap | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.CellList(layers)
        self.heads = heads
        self.follows_boxes = reference_head is not None
        if reference_head is not None:
            self.box_embedding = BoxSineEmbedding(width)
            self.reference_head = reference_head
        self.scales = query_scale is not None
        if query_scale is not None:
            self.query_scale = query_scale
        self.has_norm = norm is not None
        if norm is not None:
            self.norm = norm
        self.refines, self.looks_twice = refines, looks_twice
        self.has_map = attention_map is not None
        if attention_map is not None:
            self.attention_map = attention_map
        # otherwise the prediction is the very box that the next layer starts from
        self.predicts_apart = norm is not None or looks_twice

    def construct(
        self,
        queries: Queries,
        bias: Tensor,
        memory: Tensor,
        grid: Grid,
        shapes: Shapes,
        isolated: bool,
    ) -> Decoded:
        """Decode.

        Args:
            queries: content, references and, without a reference head, positions.
            bias: self-attention bias, broadcastable to [B, M, Q, Q].
            memory: [B, N, C].
            grid: of the batch.
            shapes: (rows, columns) of each level.
            isolated: whether boxes are embedded in units of the image, so that padding makes no
                difference; the reference has units of the padded map.
        """
        walked = self.walk(
            0,
            len(self.layers),
            queries,
            queries["references"],
            bias,
            memory,
            grid,
            shapes,
            isolated,
        )
        slots = queries["content"].shape[1] - queries["real"].shape[1]
        return self.decoded(walked, slots, shapes)

    def walk(
        self,
        first: int,
        end: int,
        queries: Queries,
        start: Tensor,
        bias: Tensor,
        memory: Tensor,
        grid: Grid,
        shapes: Shapes,
        isolated: bool,
    ) -> Walked:
        """Pass the queries through some of the layers.

        Args:
            first: number of the first of these layers.
            end: number of the layer after the last one.
            queries: as the first of these layers finds them.
            start: [B, Q, 4 or 2] that the first of these layers' boxes start from.
            bias: as given to the decoder, as are the arguments that follow.
            memory: likewise.
            grid: likewise.
            shapes: likewise.
            isolated: likewise.
        """
        ratios = ops.concat((grid["ratios"], grid["ratios"]), axis=-1)  # [B, L, 4]
        query, references = queries["content"], queries["references"]
        logits, boxes, states, starts, locations, weights = (), (), (), (), (), ()
        for index in range(first, end):
            scaled = on_padded_maps(references, ratios)  # [B, Q, L, 2 or 4]
            place = references if isolated else scaled[:, :, 0]
            position = self.position(index, query, place, queries)
            updated = self.layers[index](
                query, position, bias, memory, grid["valid"], shapes, scaled
            )
            query = updated["query"]
            if self.has_map:
                locations += (updated["locations"],)
                weights += (updated["weights"],)
            state = self.norm(query) if self.has_norm else query
            box = self.heads.boxes(index, state, start)
            logits += (self.heads.classify(index, state),)
            boxes += (box,)
            states += (state,)
            starts += (start,)
            if self.refines and index < len(self.layers) - 1:
                refined = self.heads.boxes(index, query, references) if self.predicts_apart else box
                references = ops.stop_gradient(refined)
                start = refined if self.looks_twice else references
        return {
            "logits": logits,
            "boxes": boxes,
            "states": states,
            "starts": starts,
            "locations": locations,
            "weights": weights,
            "query": query,
            "references": references,
            "start": start,
        }

    def decoded(self, passed: Passed, slots: int, shapes: Shapes) -> Decoded:
        """The result, of what all layers made of the queries.

        Args:
            passed: through all layers.
            slots: D, denoising queries before the others.
            shapes: (rows, columns) of each level.
        """
        decoded: Decoded = {
            "logits": passed["logits"],
            "boxes": passed["boxes"],
            "states": passed["states"],
            "starts": passed["starts"],
        }
        if self.has_map:
            places = passed["locations"], passed["weights"]
            decoded["attention_map"] = self.attention_map(*places, slots, shapes)
        return decoded

    def position(self, layer: int, query: Tensor, references: Tensor, queries: Queries) -> Tensor:
        """Positions of the queries in a layer: [B, Q, C].

        Args:
            layer: number of the layer.
            query: [B, Q, C] as the layer finds them.
            references: [B, Q, 4] boxes that are embedded.
            queries: as given to the decoder.
        """
        if not self.follows_boxes:
            return queries["position"]
        position = self.reference_head(self.box_embedding(references))
        return position * self.query_scale(query) if self.scales and layer > 0 else position
