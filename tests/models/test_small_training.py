"""A small network trains: loss falls, empty batches are harmless, variants give gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, ops
from model_cases import SMALL_CLASSES, small_config, training_batch

from focus_detr.config.schema import (
    BackboneConfig,
    Config,
    DenoisingConfig,
    ForegroundSelectorConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
)
from focus_detr.losses.factory import build_training_loss
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

NUMBER = 8
FIVE_LEVELS = ForegroundSelectorConfig(
    label_intervals=((-1, 32), (32, 64), (64, 128), (128, 256), (256, 9999))
)
SMALL_SWIN = BackboneConfig("swin_tiny", 0.125, (1, 1, 1, 1), 0, window=4, drop_path=0.0)
THREE_LEVELS = ForegroundSelectorConfig(label_intervals=((-1, 64), (64, 128), (128, 9999)))


def _config(**changes: object) -> Config:
    config = Config(model=small_config(), denoising=DenoisingConfig(number=NUMBER))
    return replace(config, **changes)


def test_the_loss_falls_and_batches_without_boxes_are_harmless() -> None:
    loss = build_training_loss(_config(), SMALL_CLASSES)
    optimizer = AdamW(trained_parameters(loss.model, OptimizerConfig(backbone_lr_factor=1.0)))
    step = TrainStep(loss, Update(optimizer, 0.1))
    rate = Tensor(np.float32(2e-3))
    totals = [float(step(rate, *training_batch((4, 2), NUMBER))[0].asnumpy()) for _ in range(12)]
    assert np.mean(totals[-3:]) < 0.8 * totals[0]
    for counts in ((0, 3), (0, 0)):
        total, parts, norm, finite = (
            x.asnumpy() for x in step(rate, *training_batch(counts, NUMBER))
        )
        assert finite and np.isfinite(total) and np.isfinite(norm) and norm > 0
    assert len(step.compile_cache) == 1  # no count of boxes compiles again
    named = dict(zip(loss.loss_names, parts.tolist(), strict=True))
    boxes = [value for name, value in named.items() if "bbox" in name or "giou" in name]
    assert boxes and not any(boxes)
    assert not any(value for name, value in named.items() if "_dn" in name)
    assert named["loss_class"] > 0 and named["select_loss"] > 0


def _train_one_step(
    config: Config, inputs: tuple[Tensor, ...], classes: int = SMALL_CLASSES
) -> dict[str, float]:
    """The named losses of one step, which must move the weights and be finite."""
    loss = build_training_loss(config, classes)
    optimizer = AdamW(trained_parameters(loss.model, OptimizerConfig()))
    step = TrainStep(loss, Update(optimizer, 0.1))
    total, parts, norm, finite = step(Tensor(np.float32(1e-3)), *inputs)
    assert bool(finite) and np.isfinite(float(total)) and float(norm) > 0
    assert parts.shape == (len(loss.loss_names),)
    return dict(zip(loss.loss_names, parts.asnumpy().tolist(), strict=True))


def _one_layer(*, queries: int = 30, keep_ratio: float = 0.5, **changes: Any) -> ModelConfig:
    base = small_config(**changes)
    encoder = replace(base.encoder, layers=1, cascade=(1.0,), keep_ratio=keep_ratio)
    return replace(base, encoder=encoder, decoder=replace(base.decoder, layers=1, queries=queries))


@pytest.mark.parametrize(
    ("model", "shape", "classes"),
    [
        (_one_layer(levels=3, foreground_selector=THREE_LEVELS), (32, 32), 1),
        (
            _one_layer(levels=5, foreground_selector=FIVE_LEVELS, queries=10, keep_ratio=1.0),
            (64, 96),
            SMALL_CLASSES,
        ),
        (
            _one_layer(levels=5, foreground_selector=FIVE_LEVELS, backbone=SMALL_SWIN),
            (64, 96),
            1,
        ),
    ],
    ids=[
        "one class, three levels",
        "five levels, few queries, all tokens kept",
        "five levels of Swin",
    ],
)
def test_one_layer_and_one_image_of_few_tokens_train(
    model: ModelConfig, shape: tuple[int, int], classes: int
) -> None:
    inputs = training_batch((4,), NUMBER, classes=classes, shapes=(shape,))
    losses = _train_one_step(_config(model=model), inputs, classes)
    assert all(losses[f"loss_{part}"] > 0 for part in ("class", "class_dn", "class_enc", "giou"))
    assert losses["select_loss"] > 0
    assert "loss_class_0" not in losses


def _gradients(loss: TrainingLoss, inputs: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
    weights = loss.model.trainable_params()
    _, gradients = ops.value_and_grad(loss, None, weights, has_aux=True)(*inputs)
    return {w.name: g.asnumpy() for w, g in zip(weights, gradients, strict=True)}


def test_without_selector_and_denoising_every_other_weight_still_learns() -> None:
    selector = ForegroundSelectorConfig(enabled=False)
    config = _config(
        model=replace(small_config(), foreground_selector=selector),
        denoising=DenoisingConfig(number=0),
        loss=LossConfig(matcher="graph"),
    )
    loss = build_training_loss(config, SMALL_CLASSES)
    gradients = _gradients(loss, training_batch((4, 2), 0))
    assert not any("foreground_selector" in name for name in gradients)
    still = {name for name, gradient in gradients.items() if not gradient.any()}
    # box heads start at zero, so nothing before their last layer can learn in the first step
    allowed = {name for name in gradients if name == "label_embed" or "box_heads" in name}
    allowed |= {name for name in gradients if name.endswith("attention_weights.weight")}
    assert still <= allowed, sorted(still - allowed)
    assert "select_loss" not in loss.loss_names
    assert not any("_dn" in name for name in loss.loss_names)
