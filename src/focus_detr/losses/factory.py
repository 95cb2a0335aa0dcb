"""Builds the training loss from the settings: the only file of this package that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Literal

import mindspore as ms
from mindspore import Parameter, nn

from focus_detr.config.schema import Config, LossConfig
from focus_detr.distributed.reducers import BoxesPerWorker, LargestOfWorkers
from focus_detr.distributed.world import SINGLE, World
from focus_detr.losses.align import IouAwareCrossEntropy, PairQuality
from focus_detr.losses.criterion import Criterion, EncoderLoss
from focus_detr.losses.denoising_losses import DenoisingLosses
from focus_detr.losses.foreground import ForegroundLoss
from focus_detr.losses.gathering_losses import GatheringLosses
from focus_detr.losses.loss_parts import LossWeights
from focus_detr.losses.mask_prediction import MaskPredictionLoss
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.one_to_many import OneToManyMatcher
from focus_detr.losses.set_losses import SetLosses
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.denoising.contrastive import ContrastiveQueries
from focus_detr.models.denoising.dn import DnQueries
from focus_detr.models.denoising.queries import DenoisingQueries
from focus_detr.models.factory import (
    build_model,
    encoder_predictions,
    learns_attention,
    marks_denoising,
    tells_objects,
)
from focus_detr.models.training_options import lower_products, recompute
from focus_detr.ops.products_choice import plain_products

_ENCODER_LOSS: Mapping[str, EncoderLoss] = {
    "mixed": "chosen",
    "two_stage": "every_token",
    "two_stage_mixed": "every_token",
    "efficient": "every_token",
}


def build_set_losses(
    loss: LossConfig, kind: Literal["focal", "align"], *, per_box: int = 1, shared: bool = False
) -> SetLosses:
    """Losses of pairs of one kind of classification; the rest as for ``SetLosses``."""
    settings: dict[str, Any] = {
        "per_box": per_box,
        "shared_queries": shared,
        "giou_epsilon": loss.giou_epsilon,
    }
    if kind == "focal":
        return SetLosses(**settings)
    align = loss.align
    quality = PairQuality(
        alpha=align.alpha,
        tau=align.tau,
        floor=align.floor,
        per_box=per_box,
        iou_epsilon=loss.giou_epsilon,
    )
    return SetLosses(
        element_loss=IouAwareCrossEntropy(gamma=align.gamma), quality=quality, **settings
    )


def _one_to_one(
    loss: LossConfig, kind: Literal["focal", "align"], repeats: tuple[int, ...]
) -> MatchedLosses:
    """Hungarian matching, and the losses of what it matches."""
    repeats = repeats[:1] if len(set(repeats)) == 1 else repeats
    matcher = build_matcher(
        loss.matcher,
        ms.get_context("device_target"),
        class_cost=loss.class_cost,
        box_cost=loss.box_cost,
        giou_cost=loss.giou_cost,
        giou_epsilon=loss.giou_epsilon,
        repeats=repeats,
    )
    return MatchedLosses(matcher, build_set_losses(loss, kind, per_box=max(repeats)))


def _encoder_losses(loss: LossConfig) -> MatchedLosses | None:
    """Losses of the encoder's predictions, or None where they are those of the decoder's."""
    kind = "focal" if loss.classification == "focal" else loss.align.encoder
    repeats = (loss.align.encoder_repeats,)
    if kind == loss.classification and set(loss.align.repeats) == set(repeats):
        return None
    return _one_to_one(loss, kind, repeats)


def _gathering_losses(config: Config) -> GatheringLosses | None:
    """Losses of the gathering decoder, if there is one."""
    loss, many = config.loss, config.loss.one_to_many
    if config.model.decoder.gathering == "none":
        return None
    matcher = OneToManyMatcher(
        class_share=many.class_share,
        threshold=many.threshold,
        most=many.most,
        cap=many.cap,
        rule=many.rule,
        iou_epsilon=loss.giou_epsilon,
    )
    pairs = build_set_losses(loss, loss.classification, per_box=many.most, shared=True)
    has_slots = config.denoising.number > 0 and config.denoising.gathering
    denoising = DenoisingLosses(build_set_losses(loss, loss.classification)) if has_slots else None
    return GatheringLosses(
        MatchedLosses(matcher, pairs),
        denoising=denoising,
        own_boxes=many.boxes == "own",
        first_layer=many.first_layer,
        share=many.weight / many.normaliser,
    )


def build_criterion(config: Config, *, reduce_count: nn.Cell | None = None) -> Criterion:
    """The training loss on predictions; ``reduce_count`` as for ``Criterion``."""
    loss, selector = config.loss, config.model.foreground_selector
    denoising = None
    if config.denoising.number > 0:
        denoising = DenoisingLosses(build_set_losses(loss, loss.classification))
    foreground_loss, mask_prediction_loss = None, None
    if learns_attention(config.model):
        mask_prediction_loss = MaskPredictionLoss(keep_ratio=config.model.encoder.keep_ratio)
    elif selector.enabled and selector.supervised:
        foreground_loss = ForegroundLoss(
            intervals=selector.label_intervals,
            distance=selector.label_distance,
            normaliser=loss.foreground_normaliser,
        )
    return Criterion(
        decoder_losses=_one_to_one(loss, loss.classification, loss.align.repeats),
        encoder_losses=_encoder_losses(loss),
        denoising_losses=denoising,
        gathering_losses=_gathering_losses(config),
        foreground_loss=foreground_loss,
        mask_prediction_loss=mask_prediction_loss,
        decoder_layers=config.model.decoder.layers,
        encoder=_ENCODER_LOSS.get(config.model.queries.source, "none"),
        encoder_labels="objects" if tells_objects(config.model) else "classes",
        encoder_layers=encoder_predictions(config.model),
        weights=LossWeights(
            box=loss.box_weight,
            giou=loss.giou_weight,
            class_=loss.class_weight,
            encoder_class=_or(loss.encoder_class_weight, loss.class_weight),
            denoising_class=_or(loss.denoising_class_weight, loss.class_weight),
            foreground=loss.foreground_weight,
            mask_prediction=loss.mask_prediction_weight,
        ),
        reduce_count=reduce_count,
    )


def build_denoising(
    config: Config, label_embed: Parameter, *, shared: bool = False
) -> DenoisingQueries | None:
    """Denoising queries, or None.

    Args:
        config: all settings.
        label_embed: of the network.
        shared: whether several workers train together.
    """
    denoising = config.denoising
    if denoising.number == 0:
        return None
    noise: dict[str, Any] = {
        "label_noise": denoising.label_noise,
        "box_noise": denoising.box_noise,
        "marked": marks_denoising(config.model),
        "epsilon": config.model.logit_epsilon,
        "reduce_largest": LargestOfWorkers() if shared else None,
    }
    if denoising.kind == "dn":
        return DnQueries(label_embed, groups=denoising.number, **noise)
    return ContrastiveQueries(label_embed, number=denoising.number, **noise)


def build_training_loss(config: Config, num_classes: int, *, world: World = SINGLE) -> TrainingLoss:
    """Network and criterion for training, in training mode; normalised over all workers."""
    shared = world.size > 1
    native = config.train.precision == "fp32"  # what the native products are
    with nullcontext() if native else plain_products():
        maps = learns_attention(config.model)
        model = build_model(
            config.model,
            num_classes,
            seed=config.train.seed,
            maps_attention=maps,
            gathers="all" if config.denoising.gathering else "matching",
        )
    lower_products(model, config.train.precision)
    recompute(model, config.train.recompute)
    reduce_count = BoxesPerWorker(world.size, config.train.accumulate) if shared else None
    criterion = build_criterion(config, reduce_count=reduce_count)
    denoising = None
    if config.denoising.number > 0:
        denoising = build_denoising(config, model.label_embed, shared=shared)
    loss = TrainingLoss(model, criterion, denoising)
    return loss.set_train(True)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
