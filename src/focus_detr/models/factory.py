"""Builds models from the settings, which no cell reads; what counts arithmetic reads them too."""

from __future__ import annotations

from typing import Literal

from mindspore import Parameter, nn
from mindspore.common.initializer import Normal, initializer

from focus_detr.config.schema import PROPOSING, BackboneConfig, ModelConfig
from focus_detr.config.swin_sizes import SWINS, swin_depths, swin_drop_path, swin_width
from focus_detr.models.backbones.efficientnet_lite import EfficientNetLite0
from focus_detr.models.backbones.resnet import ResNet
from focus_detr.models.backbones.swin import SwinTransformer
from focus_detr.models.decoder import Decoder, DecoderLayer
from focus_detr.models.detector import Detector
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.dense import DenseEncoder
from focus_detr.models.encoder.dual_attention import DualAttention
from focus_detr.models.encoder.focus import FocusEncoder
from focus_detr.models.encoder.heads import EncoderHeads
from focus_detr.models.encoder.layer import EncoderLayer
from focus_detr.models.encoder.sparse import SparseEncoder
from focus_detr.models.gathering import GatheringDecoder, GatheringLayer
from focus_detr.models.geometry import FIRST_STRIDE, first_stride
from focus_detr.models.grid import GridBuilder
from focus_detr.models.heads import Heads
from focus_detr.models.initialisation import initialise
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import MLP, FeedForward, MultiHeadAttention
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.neck import Neck
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.queries.efficient import EfficientQueries
from focus_detr.models.queries.learned_anchors import LearnedAnchors
from focus_detr.models.queries.learned_points import LearnedPoints
from focus_detr.models.queries.mixed import MixedQueries
from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.queries.queries import QuerySource
from focus_detr.models.queries.two_stage import TwoStageQueries
from focus_detr.models.queries.two_stage_mixed import TwoStageMixedQueries
from focus_detr.models.selection.all_tokens import AllTokens
from focus_detr.models.selection.focus import FocusSelection
from focus_detr.models.selection.foreground_selector import ForegroundSelector, ScoreMLP
from focus_detr.models.selection.sparse import SparseSelection
from focus_detr.models.selection.sparse_selector import SparseSelector
from focus_detr.models.selection.token_ranking import TokenRanking
from focus_detr.ops.decoder_attention_map import DecoderAttentionMap
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_choice import build_sampling

Gathers = Literal["none", "matching", "all"]

LEARNED_SIZE = -2.0  # logit of width and height where a network of learned queries begins


def build_backbone(config: BackboneConfig, *, finest_stride: int = FIRST_STRIDE) -> nn.Cell:
    """The feature extractor that the settings name; ``finest_stride`` of its first map."""
    if config.name == "efficientnet_lite0":
        return EfficientNetLite0(freeze_at=config.freeze_at)
    if config.name in SWINS:
        return SwinTransformer(
            swin_width(config),
            SWINS[config.name].heads,
            swin_depths(config),
            window=config.window,
            drop_path=swin_drop_path(config),
            freeze_at=config.freeze_at,
            finest_stride=finest_stride,
        )
    return ResNet(
        config.name,
        width_factor=config.width_factor,
        depths=config.depths,
        freeze_at=config.freeze_at,
        finest_stride=finest_stride,
    )


def build_foreground_selector(config: ModelConfig) -> ForegroundSelector | SparseSelector:
    """What scores the tokens."""
    selector = config.foreground_selector
    if selector.kind == "sparse":
        return SparseSelector(ScoreMLP(config.width))
    mlp = ScoreMLP(config.width, modulate_after_norm=selector.modulation_place == "after_norm")
    return ForegroundSelector(mlp, levels=config.levels, modulation=selector.modulation)


def build_deformable_attention(
    config: ModelConfig, points: int, dropout: float = 0.0
) -> MSDeformableAttention:
    """Deformable attention with the implementation that settings and device ask for."""
    heads, levels = config.heads, config.levels
    depth = config.width // heads
    sampling = build_sampling(config.msda, depth=depth, heads=heads, levels=levels, points=points)
    return MSDeformableAttention(
        config.width, heads, levels, points, sampling=sampling, dropout=dropout
    )


def build_selection(
    config: ModelConfig,
    selector: ForegroundSelector | SparseSelector | None,
    projection: MemoryProjection,
) -> FocusSelection | SparseSelection | AllTokens:
    """Which tokens the encoder refines."""
    encoder = config.encoder
    if selector is None:
        return AllTokens(encoder.layers)
    ranking = TokenRanking(keep_ratio=encoder.keep_ratio, cascade=encoder.cascade)
    if isinstance(selector, SparseSelector):
        return SparseSelection(selector, projection, ranking)
    reads_maps = config.foreground_selector.features == "map"
    return FocusSelection(selector, None if reads_maps else projection, ranking)


def build_encoder_layer(config: ModelConfig, category_head: nn.Cell) -> EncoderLayer:
    """One layer of the encoder; its dual attention scores with the category head."""
    encoder, dual_attention = config.encoder, None
    if encoder.dual_attention:
        dual_attention = DualAttention(
            category_head,
            config.width,
            config.heads,
            object_tokens=encoder.object_tokens,
            score=encoder.object_score,
        )
    return EncoderLayer(
        dual_attention,
        build_deformable_attention(config, encoder.points, encoder.dropout),
        FeedForward(config.width, encoder.ffn_width, dropout=encoder.dropout),
        config.width,
    )


def encoder_predictions(config: ModelConfig) -> int:
    """How many layers of the encoder predict; proposals have heads for the last one."""
    if not config.encoder.auxiliary_heads:
        return 0
    return config.encoder.layers - proposes(config)


def category_heads(
    config: ModelConfig, heads: Heads, layer_heads: EncoderHeads | None
) -> list[nn.Cell]:
    """The class head that each encoder layer's dual attention shares.

    Without proposals the encoder has no class head of its own; a layer then takes the auxiliary one
    of the layer before, whose tokens it gets.
    """
    layers = range(config.encoder.layers)
    if config.encoder.dual_attention and config.encoder.category_head == "decoder_layer":
        return [heads.class_heads[layer] for layer in layers]
    if layer_heads is not None and not proposes(config):
        return [layer_heads.class_heads[max(layer - 1, 0)] for layer in layers]
    return [heads.class_heads[-1] for _ in layers]


def build_encoder(
    config: ModelConfig, heads: Heads, layer_heads: EncoderHeads | None
) -> FocusEncoder | SparseEncoder | DenseEncoder:
    """The encoder; its layers predict with ``layer_heads``, if there are any."""
    shared = category_heads(config, heads, layer_heads)
    layers = [build_encoder_layer(config, head) for head in shared]
    reads_memory = config.encoder.value == "memory"
    if not config.foreground_selector.enabled:
        return DenseEncoder(layers, reads_memory=reads_memory)
    if config.foreground_selector.kind == "sparse":
        return SparseEncoder(layers, layer_heads, reads_memory=reads_memory)
    return FocusEncoder(layers, reads_memory=reads_memory)


def learns_attention(config: ModelConfig) -> bool:
    """Whether the selector learns where the decoder looks."""
    selector = config.foreground_selector
    return selector.enabled and selector.supervised and selector.kind == "sparse"


def build_attention_map(config: ModelConfig) -> DecoderAttentionMap:
    """The map of where the decoder looks."""
    selector = config.foreground_selector
    every = selector.attention_queries == "all"
    return DecoderAttentionMap(half_pixel=selector.half_pixel, all_queries=every)


def build_decoder(
    config: ModelConfig, heads: Heads, maps_attention: bool, gathers: Gathers
) -> Decoder:
    """The decoder; on demand it maps where its queries look, and passes them through twice."""
    decoder, width = config.decoder, config.width
    kind, layer, pass_twice = Decoder, DecoderLayer, {}
    if gathers != "none" and decoder.gathering != "none":
        kind, layer = GatheringDecoder, GatheringLayer
        shares_first = decoder.gathering == "released"
        pass_twice = {"shares_first": shares_first, "gathers_slots": gathers == "all"}
    dropouts = {"dropout": decoder.dropout, "output_dropout": decoder.self_attention_dropout}
    layers = [
        layer(
            MultiHeadAttention(width, config.heads, **dropouts),
            build_deformable_attention(config, decoder.points, decoder.dropout),
            FeedForward(width, decoder.ffn_width, dropout=decoder.dropout),
            width,
            traces=maps_attention,
        )
        for _ in range(decoder.layers)
    ]
    follows_boxes = decoder.position == "boxes"
    return kind(
        layers,
        heads,
        width,
        reference_head=MLP(2 * width, width, width, 2) if follows_boxes else None,
        query_scale=MLP(width, width, width, 2) if decoder.scale_position else None,
        norm=LayerNorm(width) if decoder.output_norm else None,
        refines=decoder.refine,
        looks_twice=decoder.look_forward_twice,
        attention_map=build_attention_map(config) if maps_attention else None,
        **pass_twice,
    )


def proposes(config: ModelConfig) -> bool:
    """Whether the queries are tokens of the memory."""
    return config.queries.source in PROPOSING


def tells_objects(config: ModelConfig) -> bool:
    """Whether proposals tell objects from background; otherwise they tell classes."""
    labels = config.queries.proposal_labels
    if labels is None:
        return config.queries.source in ("two_stage", "two_stage_mixed")
    return labels == "objects"


def marks_denoising(config: ModelConfig) -> bool:
    """Whether a channel of the queries tells denoising queries apart."""
    return config.queries.source == "learned_anchors" and config.label_rows != "none"


def build_heads(config: ModelConfig, num_classes: int) -> Heads:
    """Class and box heads."""
    return Heads(
        config.width,
        num_classes,
        config.decoder.layers,
        shared=config.decoder.shared_heads,
        encoder=proposes(config),
        epsilon=config.logit_epsilon,
        first_size=LEARNED_SIZE if not proposes(config) else 0.0,
    )


def build_queries(config: ModelConfig, heads: Heads, projection: MemoryProjection) -> QuerySource:
    """Where the decoder's queries come from."""
    source, count, width = config.queries.source, config.decoder.queries, config.width
    if source == "learned_points":
        return LearnedPoints(count, width)
    if source == "learned_anchors":
        return LearnedAnchors(count, width, marked=marks_denoising(config))
    proposals = Proposals(projection, heads, count, by_first_class=tells_objects(config))
    if source == "two_stage":
        return TwoStageQueries(proposals, width)
    if source == "two_stage_mixed":
        return TwoStageMixedQueries(proposals, width)
    if source == "efficient":
        return EfficientQueries(proposals, width)
    return MixedQueries(proposals, width, learned=config.queries.content == "learned")


def build_shared(
    config: ModelConfig, num_classes: int, heads: Heads, projection: MemoryProjection
) -> dict[str, nn.Cell | Parameter]:
    """Parts of several parts, or of the training alone, by their names in checkpoints."""
    width, selector = config.width, config.foreground_selector
    shared: dict[str, nn.Cell | Parameter] = {"level_embed": _embedding(config.levels, width)}
    if proposes(config) or (selector.enabled and selector.features == "projection"):
        shared["memory_projection"] = projection
    shared |= {"class_heads": heads.class_heads, "box_heads": heads.box_heads}
    if config.label_rows != "none":
        rows = num_classes + (config.label_rows == "one_more")
        shared["label_embed"] = _embedding(rows, width - marks_denoising(config))
    if encoder_predictions(config):
        shared["encoder_heads"] = EncoderHeads(width, num_classes, encoder_predictions(config))
    if selector.enabled:
        shared["foreground_selector"] = build_foreground_selector(config)
    return shared


def _embedding(rows: int, width: int) -> Parameter:
    """A table of learned rows: [rows, C]."""
    return Parameter(initializer(Normal(1.0), (rows, width)))


def build_model(
    config: ModelConfig,
    num_classes: int,
    *,
    seed: int = 0,
    maps_attention: bool = False,
    gathers: Gathers = "none",
) -> DETR:
    """A network with freshly drawn weights.

    Args:
        config: the network's settings.
        num_classes: number of object classes.
        seed: of the initial weights; ``train.seed`` in a training, which ``config`` does not hold.
        maps_attention: map where the decoder looks.
        gathers: whose queries a gathering decoder passes through twice in training: those that
            match, or all, denoising queries included; a detector has no use for it.
    """
    width, position = config.width, config.position
    backbone = build_backbone(config.backbone, finest_stride=first_stride(config.levels))
    heads = build_heads(config, num_classes)
    projection = MemoryProjection(width)
    shared = build_shared(config, num_classes, heads, projection)
    sine = SinePositionEmbedding(width, temperature=position.temperature, offset=position.offset)
    model = DETR(
        shared=shared,
        backbone=backbone,
        neck=Neck(backbone.channels, width, config.levels),
        grid=GridBuilder(sine, shared["level_embed"]),
        selection=build_selection(config, shared.get("foreground_selector"), projection),
        encoder=build_encoder(config, heads, shared.get("encoder_heads")),
        queries=build_queries(config, heads, projection),
        decoder=build_decoder(config, heads, maps_attention, gathers),
        num_classes=num_classes,
        levels=config.levels,
        padding_training=config.padding.training,
        padding_evaluation=config.padding.evaluation,
    )
    initialise(model, seed)
    return model


def build_detector(
    config: ModelConfig, num_classes: int, *, tells_attention: bool = False
) -> Detector:
    """A network for inference, to be filled from a checkpoint: its weights are no training's."""
    model = build_model(config, num_classes, maps_attention=tells_attention)
    return detector_of(model, config, tells_attention=tells_attention).set_train(False)


def detector_of(model: DETR, config: ModelConfig, *, tells_attention: bool = False) -> Detector:
    """A network that gives as many detections as are compared for overlaps, or as stay."""
    compared = None if config.overlap_limit is None else config.overlap_candidates
    count = compared or config.max_detections
    return Detector(model, max_detections=count, tells_attention=tells_attention)
