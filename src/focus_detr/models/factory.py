"""Builds models from the settings: the only file of this package that reads them."""

from __future__ import annotations

from contextlib import nullcontext

import mindspore as ms
from mindspore import nn

from focus_detr.config.schema import BackboneConfig, Config, ModelConfig
from focus_detr.config.swin_sizes import SWINS, swin_depths, swin_drop_path, swin_width
from focus_detr.distributed.reducers import BoxesPerWorker, LargestOfWorkers
from focus_detr.distributed.world import SINGLE, World
from focus_detr.losses.criterion import Criterion
from focus_detr.losses.foreground import ForegroundLoss
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.backbones.efficientnet_lite import EfficientNetLite0
from focus_detr.models.backbones.resnet import ResNet
from focus_detr.models.backbones.swin import SwinTransformer
from focus_detr.models.decoder import Decoder, DecoderLayer
from focus_detr.models.denoising import DenoisingQueries
from focus_detr.models.detector import Detector
from focus_detr.models.dual_attention import DualAttention
from focus_detr.models.encoder import Encoder, EncoderLayer
from focus_detr.models.focus_detr import FocusDETR
from focus_detr.models.foreground_selector import ForegroundSelector, ScoreMLP
from focus_detr.models.heads import build_heads
from focus_detr.models.initialisation import initialise
from focus_detr.models.layers import FeedForward, MultiHeadAttention
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.neck import Neck
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.proposals import ProposalSelection
from focus_detr.models.token_ranking import TokenRanking
from focus_detr.models.training_options import lower_products, recompute
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_choice import build_sampling
from focus_detr.ops.products_choice import plain_products


def build_backbone(config: BackboneConfig) -> nn.Cell:
    """The feature extractor that the settings name."""
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
        )
    return ResNet(
        config.name,
        width_factor=config.width_factor,
        depths=config.depths,
        freeze_at=config.freeze_at,
    )


def build_foreground_selector(config: ModelConfig) -> ForegroundSelector | None:
    """The foreground selector, or None when it is switched off."""
    selector = config.foreground_selector
    if not selector.enabled:
        return None
    mlp = ScoreMLP(config.width, modulate_after_norm=selector.modulation_place == "after_norm")
    return ForegroundSelector(mlp, levels=config.levels, modulation=selector.modulation)


def build_deformable_attention(config: ModelConfig, points: int) -> MSDeformableAttention:
    """Deformable attention with the implementation that settings and device ask for."""
    heads, levels = config.heads, config.levels
    depth = config.width // heads
    sampling = build_sampling(config.msda, depth=depth, heads=heads, levels=levels, points=points)
    return MSDeformableAttention(config.width, heads, levels, points, sampling=sampling)


def build_encoder(config: ModelConfig) -> Encoder:
    """The dual-attention encoder."""
    encoder = config.encoder
    layers = []
    for _ in range(encoder.layers):
        dual_attention = None
        if encoder.dual_attention:
            dual_attention = DualAttention(
                config.width,
                config.heads,
                object_tokens=encoder.object_tokens,
                score=encoder.object_score,
            )
        layers.append(
            EncoderLayer(
                dual_attention,
                build_deformable_attention(config, encoder.points),
                FeedForward(config.width, encoder.ffn_width),
                config.width,
            )
        )
    return Encoder(layers, value=encoder.value)


def build_decoder(config: ModelConfig) -> Decoder:
    """The decoder."""
    decoder = config.decoder
    layers = [
        DecoderLayer(
            MultiHeadAttention(config.width, config.heads),
            build_deformable_attention(config, decoder.points),
            FeedForward(config.width, decoder.ffn_width),
            config.width,
        )
        for _ in range(decoder.layers)
    ]
    return Decoder(layers, config.width)


def build_model(config: ModelConfig, num_classes: int, *, seed: int = 0) -> FocusDETR:
    """Focus-DETR with freshly drawn weights.

    Args:
        config: the network's settings.
        num_classes: number of object classes.
        seed: of the initial weights; ``train.seed`` in a training, which ``config`` does not hold.
    """
    backbone = build_backbone(config.backbone)
    class_heads, box_heads = build_heads(config.width, num_classes, config.decoder.layers)
    model = FocusDETR(
        backbone=backbone,
        neck=Neck(backbone.channels, config.width, config.levels),
        position_embedding=SinePositionEmbedding(
            config.width,
            temperature=config.position.temperature,
            offset=config.position.offset,
        ),
        memory_projection=MemoryProjection(config.width),
        foreground_selector=build_foreground_selector(config),
        ranking=TokenRanking(
            keep_ratio=config.encoder.keep_ratio,
            cascade=config.encoder.cascade,
            selects=config.foreground_selector.enabled,
        ),
        encoder=build_encoder(config),
        proposals=ProposalSelection(config.decoder.queries, config.width),
        decoder=build_decoder(config),
        class_heads=class_heads,
        box_heads=box_heads,
        num_classes=num_classes,
        width=config.width,
        levels=config.levels,
        category_head=config.encoder.category_head,
        scored_features=config.foreground_selector.features,
        padding_training=config.padding.training,
        padding_evaluation=config.padding.evaluation,
    )
    initialise(model, seed)
    return model


def build_detector(config: ModelConfig, num_classes: int) -> Detector:
    """Focus-DETR for inference, to be filled from a checkpoint: its weights are no training's."""
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
        class_weight=loss.class_weight,
        box_weight=loss.box_weight,
        giou_weight=loss.giou_weight,
        foreground_weight=loss.foreground_weight,
        reduce_count=reduce_count,
    )


def build_training_loss(config: Config, num_classes: int, *, world: World = SINGLE) -> TrainingLoss:
    """Network and criterion for training, in training mode; normalised over all workers."""
    shared = world.size > 1
    denoising = None
    if config.denoising.number > 0:
        denoising = DenoisingQueries(
            number=config.denoising.number,
            label_noise=config.denoising.label_noise,
            box_noise=config.denoising.box_noise,
            reduce_largest=LargestOfWorkers() if shared else None,
        )
    native = config.train.precision == "fp32"  # what the native products are
    with nullcontext() if native else plain_products():
        model = build_model(config.model, num_classes, seed=config.train.seed)
    lower_products(model, config.train.precision)
    recompute(model, config.train.recompute)
    reduce_count = BoxesPerWorker(world.size, config.train.accumulate) if shared else None
    criterion = build_criterion(config, reduce_count=reduce_count)
    loss = TrainingLoss(model, criterion, denoising)
    return loss.set_train(True)
