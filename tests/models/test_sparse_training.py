"""A small Sparse DETR with dual attention trains: its loss falls and all of its parts learn."""

from __future__ import annotations

import numpy as np
from golden_data import image_for
from mindspore import Tensor
from model_cases import SMALL_CLASSES, normalised_batch
from sparse_cases import sparse_config

from focus_detr.config.schema import Config, DenoisingConfig, OptimizerConfig
from focus_detr.data.noise import draw_noise
from focus_detr.models.denoising.contrastive import contrastive_slots
from focus_detr.models.factory import build_training_loss
from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

TARGETS, NUMBER, STEPS = 4, 6, 12
SHAPES = ((96, 128), (80, 96))


def _batch() -> tuple[Tensor, ...]:
    rng = np.random.default_rng(0)
    images, sizes = normalised_batch([image_for(i, *shape, 0) for i, shape in enumerate(SHAPES)])
    places = (rng.uniform(0.3, 0.7, (2, TARGETS, 2)), rng.uniform(0.1, 0.4, (2, TARGETS, 2)))
    boxes, labels = np.concatenate(places, -1), rng.integers(0, SMALL_CLASSES, (2, TARGETS))
    valid = np.arange(TARGETS)[None] < np.array([[3], [1]])
    draws = draw_noise(rng.spawn(2), contrastive_slots(NUMBER, TARGETS), SMALL_CLASSES)
    targets = (boxes.astype(np.float32), labels.astype(np.int32), valid.astype(np.float32))
    arrays = (*targets, draws.uniform, draws.new_label, draws.sign, draws.part)
    return (images, sizes, *(Tensor(array) for array in arrays))


def test_the_loss_falls_and_every_part_learns() -> None:
    config = Config(
        model=sparse_config(dual_attention=True), denoising=DenoisingConfig(number=NUMBER)
    )
    loss = build_training_loss(config, SMALL_CLASSES)
    weights = trained_parameters(loss.model, OptimizerConfig(backbone_lr_factor=1.0))
    before = {weight.name: weight.asnumpy().copy() for weight in loss.model.trainable_params()}
    step, rate = TrainStep(loss, Update(AdamW(weights), 0.1)), Tensor(np.float32(2e-3))
    batch, totals = _batch(), []
    for _ in range(STEPS):
        total, parts, _, finite = step(rate, *batch)
        assert finite.asnumpy()
        totals.append(float(total.asnumpy()))
    assert np.mean(totals[-3:]) < 0.8 * totals[0]
    still = [w.name for w in loss.model.trainable_params() if (w.asnumpy() == before[w.name]).all()]
    assert not still
    named = dict(zip(loss.loss_names, parts.asnumpy().tolist(), strict=True))
    assert 0 < named["loss_mask_prediction"] < 1
    assert {"loss_class_enc_0", "loss_bbox_enc_0", "loss_giou_enc_0"} <= named.keys()
    assert "select_loss" not in named and "loss_class_enc_1" not in named
