"""A small Sparse DETR on each base trains: its loss falls and all of its parts learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from golden_data import image_for
from mindspore import Tensor
from model_cases import SMALL_CLASSES, normalised_batch, small_config
from sparse_cases import DENOISING, ObjectScore, sparse_config, with_source

from focus_detr.config.schema import (
    Config,
    DenoisingConfig,
    ModelConfig,
    OptimizerConfig,
    QuerySource,
)
from focus_detr.config.validation import validate
from focus_detr.data.noise import draw_noise
from focus_detr.losses.factory import build_training_loss
from focus_detr.models.denoising.slots import slot_count
from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

TARGETS, STEPS = 4, 8
SHAPES = ((96, 128), (80, 96))


def _batch(denoising: DenoisingConfig) -> tuple[Tensor, ...]:
    rng = np.random.default_rng(0)
    images, sizes = normalised_batch([image_for(i, *shape, 0) for i, shape in enumerate(SHAPES)])
    places = (rng.uniform(0.3, 0.7, (2, TARGETS, 2)), rng.uniform(0.1, 0.4, (2, TARGETS, 2)))
    boxes, labels = np.concatenate(places, -1), rng.integers(0, SMALL_CLASSES, (2, TARGETS))
    valid = np.arange(TARGETS)[None] < np.array([[3], [1]])
    slots = slot_count(denoising.kind, denoising.number, TARGETS)
    draws = draw_noise(rng.spawn(2), slots, SMALL_CLASSES)
    targets = (boxes.astype(np.float32), labels.astype(np.int32), valid.astype(np.float32))
    arrays = (*targets, draws.uniform, draws.new_label, draws.sign, draws.part)
    return (images, sizes, *(Tensor(array) for array in arrays))


def _small(**encoder: Any) -> ModelConfig:
    """With one decoder layer; only the encoder's say something about its layers."""
    decoder = replace(small_config().decoder, layers=1)
    return sparse_config(decoder=decoder, **encoder)


@pytest.mark.parametrize(
    ("source", "dual_attention", "score"),
    [
        ("mixed", True, "logits"),
        ("efficient", False, "logits"),
        ("learned_points", True, "probabilities"),
        ("learned_anchors", False, "logits"),
    ],
)
def test_the_loss_falls_and_every_part_learns(
    source: QuerySource, dual_attention: bool, score: ObjectScore
) -> None:
    model = with_source(_small(dual_attention=dual_attention, object_score=score), source)
    denoising = DENOISING.get(source, DenoisingConfig(number=0))
    config = Config(model=model, denoising=denoising)
    validate(config, "this test")
    loss = build_training_loss(config, SMALL_CLASSES)
    weights = trained_parameters(loss.model, OptimizerConfig(backbone_lr_factor=1.0))
    before = {weight.name: weight.asnumpy().copy() for weight in loss.model.trainable_params()}
    step, rate = TrainStep(loss, Update(AdamW(weights), 0.1)), Tensor(np.float32(2e-3))
    batch, totals = _batch(denoising), []
    for _ in range(STEPS):
        total, parts, _, finite = step(rate, *batch)
        assert finite.asnumpy()
        totals.append(float(total.asnumpy()))
    assert np.mean(totals[-2:]) < 0.9 * totals[0]
    still = [w.name for w in loss.model.trainable_params() if (w.asnumpy() == before[w.name]).all()]
    assert not still
    named = dict(zip(loss.loss_names, parts.asnumpy().tolist(), strict=True))
    assert 0 < named["loss_mask_prediction"] < 1
    # layers that no other head of the encoder reads
    predicting = [name for name in named if name.startswith("loss_class_enc_")]
    assert len(predicting) == (2 if source.startswith("learned") else 1)
    assert ("loss_class_enc" in named) != source.startswith("learned")
