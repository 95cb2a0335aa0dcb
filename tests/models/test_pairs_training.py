"""A small network trains with what gives each box more to teach: DAC-DETR, Align-DETR."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import SMALL_CLASSES, SMALLEST_BACKBONE, small_config, training_batch

from focus_detr.config.schema import (
    AlignConfig,
    Config,
    DenoisingConfig,
    ForegroundSelectorConfig,
    LossConfig,
    ModelConfig,
    OneToManyConfig,
    OptimizerConfig,
)
from focus_detr.config.validation import validate
from focus_detr.losses.factory import build_training_loss
from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

NUMBER, STEPS = 8, 10


def _model(**decoder: Any) -> ModelConfig:
    """Of another decoder, after as little as there can be: what it teaches compiles longest."""
    selector = ForegroundSelectorConfig(enabled=False)
    base = small_config(levels=3, backbone=SMALLEST_BACKBONE, foreground_selector=selector)
    encoder = replace(base.encoder, layers=1, cascade=(1.0,), dual_attention=False)
    return replace(base, encoder=encoder, decoder=replace(base.decoder, **decoder))


RELEASED = Config(
    model=_model(gathering="released"),
    loss=LossConfig(classification="align", align=AlignConfig(repeats=(2, 1), encoder_repeats=2)),
    denoising=DenoisingConfig(number=NUMBER),
)
PAPER = Config(
    model=_model(gathering="paper"),
    loss=LossConfig(  # a box may have more queries than there are
        one_to_many=OneToManyConfig(rule="paper", most=40, boxes="own", first_layer=False)
    ),
    denoising=DenoisingConfig(number=NUMBER, gathering=False),
)


@pytest.mark.parametrize("config", [RELEASED, PAPER], ids=["released", "paper"])
def test_the_loss_falls_and_batches_without_boxes_are_harmless(config: Config) -> None:
    validate(config, "this test")
    loss = build_training_loss(config, SMALL_CLASSES)
    optimizer = AdamW(trained_parameters(loss.model, OptimizerConfig(backbone_lr_factor=1.0)))
    step, rate = TrainStep(loss, Update(optimizer, 0.1)), Tensor(np.float32(2e-3))
    batch = training_batch((4, 2), NUMBER)
    totals = [float(step(rate, *batch)[0].asnumpy()) for _ in range(STEPS)]
    assert np.mean(totals[-3:]) < 0.9 * totals[0]
    empty = step(rate, *training_batch((0, 0), NUMBER))
    _, parts, norm, finite = (value.asnumpy() for value in empty)
    assert finite and np.isfinite(norm) and norm > 0
    assert len(step.compile_cache) == 1  # no count of boxes compiles again
    named = dict(zip(loss.loss_names, parts.tolist(), strict=True))
    for name, value in named.items():
        assert (value > 0.0) == ("class" in name and "_dn" not in name), name
    assert "loss_class_many" in named
    released = config is RELEASED
    assert ("loss_class_many_0" in named, "loss_class_dn_many_0" in named) == (released, released)
