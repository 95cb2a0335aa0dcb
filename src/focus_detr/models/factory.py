"""Builds models from the settings: the only file of this package that reads them."""

from __future__ import annotations

from contextlib import nullcontext

import mindspore as ms
from mindspore import Parameter, nn
from mindspore.common.initializer import Normal, initializer

from focus_detr.config.schema import BackboneConfig, Config, DenoisingConfig, ModelConfig
from focus_detr.config.swin_sizes import SWINS, swin_depths, swin_drop_path, swin_width
from focus_detr.distributed.reducers import BoxesPerWorker, LargestOfWorkers
from focus_detr.distributed.world import SINGLE, World
from focus_detr.losses.criterion import Criterion, LossWeights
from focus_detr.losses.foreground import ForegroundLoss
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.backbones.efficientnet_lite import EfficientNetLite0
from focus_detr.models.backbones.resnet import ResNet
from focus_detr.models.backbones.swin import SwinTransformer
from focus_detr.models.decoder import Decoder, DecoderLayer
from focus_detr.models.denoising.contrastive import ContrastiveQueries
from focus_detr.models.denoising.queries import DenoisingQueries
from focus_detr.models.detector import Detector
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.dense import DenseEncoder
from focus_detr.models.encoder.dual_attention import DualAttention
from focus_detr.models.encoder.focus import FocusEncoder
from focus_detr.models.encoder.layer import EncoderLayer
from focus_detr.models.geometry import first_stride
from focus_detr.models.grid import GridBuilder
from focus_detr.models.heads import Heads
from focus_detr.models.initialisation import initialise
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import MLP, FeedForward, MultiHeadAttention
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.neck import Neck
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.queries.mixed import MixedQueries
from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.selection.all_tokens import AllTokens
from focus_detr.models.selection.focus import FocusSelection
from focus_detr.models.selection.foreground_selector import ForegroundSelector, ScoreMLP
from focus_detr.models.selection.token_ranking import TokenRanking
from focus_detr.models.training_options import lower_products, recompute
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_choice import build_sampling
from focus_detr.ops.products_choice import plain_products


def build_backbone(config: BackboneConfig, finest_stride: int = 8) -> nn.Cell:
    """The feature extractor that the settings name; ``finest_stride`` 4 adds a finer map."""
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


def build_foreground_selector(config: ModelConfig) -> ForegroundSelector:
    """The foreground selector."""
    selector = config.foreground_selector
    mlp = ScoreMLP(config.width, modulate_after_norm=selector.modulation_place == "after_norm")
    return ForegroundSelector(mlp, levels=config.levels, modulation=selector.modulation)


def build_deformable_attention(config: ModelConfig, points: int) -> MSDeformableAttention:
    """Deformable attention with the implementation that settings and device ask for."""
    heads, levels = config.heads, config.levels
    depth = config.width // heads
    sampling = build_sampling(config.msda, depth=depth, heads=heads, levels=levels, points=points)
    return MSDeformableAttention(config.width, heads, levels, points, sampling=sampling)


def build_selection(
    config: ModelConfig, selector: ForegroundSelector | None, projection: MemoryProjection
) -> FocusSelection | AllTokens:
    """Which tokens the encoder refines."""
    encoder = config.encoder
    if selector is None:
        return AllTokens(encoder.layers)
    ranking = TokenRanking(keep_ratio=encoder.keep_ratio, cascade=encoder.cascade)
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
        build_deformable_attention(config, encoder.points),
        FeedForward(config.width, encoder.ffn_width),
        config.width,
    )


def build_encoder(config: ModelConfig, heads: Heads) -> FocusEncoder | DenseEncoder:
    """The encoder."""
    encoder, layers = config.encoder, []
    for index in range(encoder.layers):
        of_decoder = encoder.category_head == "decoder_layer"
        head = heads.class_heads[index] if of_decoder else heads.encoder_class_head()
        layers.append(build_encoder_layer(config, head))
    reads_memory = encoder.value == "memory"
    if config.foreground_selector.enabled:
        return FocusEncoder(layers, reads_memory=reads_memory)
    return DenseEncoder(layers, reads_memory=reads_memory)


def build_decoder(config: ModelConfig, heads: Heads) -> Decoder:
    """The decoder."""
    decoder, width = config.decoder, config.width
    layers = [
        DecoderLayer(
            MultiHeadAttention(width, config.heads),
            build_deformable_attention(config, decoder.points),
            FeedForward(width, decoder.ffn_width),
            width,
        )
        for _ in range(decoder.layers)
    ]
    return Decoder(
        layers,
        heads,
        width,
        reference_head=MLP(2 * width, width, width, 2),
        norm=LayerNorm(width),
        looks_twice=True,
    )


def build_model(config: ModelConfig, num_classes: int, *, seed: int = 0) -> DETR:
    """A network with freshly drawn weights.

    Args:
        config: the network's settings.
        num_classes: number of object classes.
        seed: of the initial weights; ``train.seed`` in a training, which ``config`` does not hold.
    """
    width, position = config.width, config.position
    backbone = build_backbone(config.backbone, first_stride(config.levels))
    heads = Heads(width, num_classes, config.decoder.layers)
    projection = MemoryProjection(width)
    shared: dict[str, nn.Cell | Parameter] = {
        "level_embed": embedding(config.levels, width),
        "memory_projection": projection,
        "class_heads": heads.class_heads,
        "box_heads": heads.box_heads,
        "label_embed": embedding(num_classes, width),
    }
    selector = None
    if config.foreground_selector.enabled:
        selector = shared["foreground_selector"] = build_foreground_selector(config)
    sine = SinePositionEmbedding(width, temperature=position.temperature, offset=position.offset)
    proposals = Proposals(projection, heads, config.decoder.queries)
    model = DETR(
        shared=shared,
        backbone=backbone,
        neck=Neck(backbone.channels, width, config.levels),
        grid=GridBuilder(sine, shared["level_embed"]),
        selection=build_selection(config, selector, projection),
        encoder=build_encoder(config, heads),
        queries=MixedQueries(proposals, width),
        decoder=build_decoder(config, heads),
        num_classes=num_classes,
        levels=config.levels,
        padding_training=config.padding.training,
        padding_evaluation=config.padding.evaluation,
    )
    initialise(model, seed)
    return model


def embedding(rows: int, width: int) -> Parameter:
    """A table of learned rows: [rows, C]."""
    return Parameter(initializer(Normal(1.0), (rows, width)))


def build_detector(config: ModelConfig, num_classes: int) -> Detector:
    """A network for inference, to be filled from a checkpoint: its weights are no training's."""
    model = build_model(config, num_classes)
    detector = Detector(model, max_detections=config.max_detections)
    return detector.set_train(False)


def build_criterion(config: Config, *, reduce_count: nn.Cell | None = None) -> Criterion:
    """The training loss on predictions; ``reduce_count`` as for ``Criterion``."""
    loss, selector = config.loss, config.model.foreground_selector
    matcher = build_matcher(
        loss.matcher,
        ms.get_context("device_target"),
        class_cost=loss.class_cost,
        box_cost=loss.box_cost,
        giou_cost=loss.giou_cost,
    )
    foreground_loss = None
    if selector.enabled and selector.supervised:
        foreground_loss = ForegroundLoss(
            intervals=selector.label_intervals,
            distance=selector.label_distance,
            normaliser=loss.foreground_normaliser,
        )
    return Criterion(
        matcher=matcher,
        foreground_loss=foreground_loss,
        decoder_layers=config.model.decoder.layers,
        denoising=config.denoising.number > 0,
        weights=LossWeights(
            box=loss.box_weight,
            giou=loss.giou_weight,
            class_=loss.class_weight,
            encoder_class=loss.class_weight,
            denoising_class=loss.class_weight,
            foreground=loss.foreground_weight,
        ),
        reduce_count=reduce_count,
    )


def build_denoising(
    config: DenoisingConfig, label_embed: Parameter, *, shared: bool = False
) -> DenoisingQueries | None:
    """Denoising queries, or None; ``shared`` says whether several workers train together."""
    if config.number == 0:
        return None
    return ContrastiveQueries(
        label_embed,
        number=config.number,
        label_noise=config.label_noise,
        box_noise=config.box_noise,
        reduce_largest=LargestOfWorkers() if shared else None,
    )


def build_training_loss(config: Config, num_classes: int, *, world: World = SINGLE) -> TrainingLoss:
    """Network and criterion for training, in training mode; normalised over all workers."""
    shared = world.size > 1
    native = config.train.precision == "fp32"  # what the native products are
    with nullcontext() if native else plain_products():
        model = build_model(config.model, num_classes, seed=config.train.seed)
    lower_products(model, config.train.precision)
    recompute(model, config.train.recompute)
    reduce_count = BoxesPerWorker(world.size, config.train.accumulate) if shared else None
    criterion = build_criterion(config, reduce_count=reduce_count)
    denoising = build_denoising(config.denoising, model.label_embed, shared=shared)
    loss = TrainingLoss(model, criterion, denoising)
    return loss.set_train(True)
