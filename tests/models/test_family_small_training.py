"""Small networks of the family train: the loss falls, empty batches are harmless."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from family_cases import small_family_config
from golden_data import image_for
from mindspore import Tensor
from model_cases import SMALL_CLASSES, normalised_batch

from focus_detr.config.schema import Config, OptimizerConfig
from focus_detr.data.batch import Batch
from focus_detr.losses.factory import build_training_loss
from focus_detr.training.adamw import AdamW
from focus_detr.training.inputs import step_inputs
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

ONE_LAYER = ("model.encoder.layers=1", "model.encoder.cascade=[1.0]")
TARGETS = 6
SHAPES = ((96, 128), (128, 128))


def _batch(config: Config, counts: tuple[int, int]) -> tuple[Tensor, ...]:
    """Two images with that many boxes, and the draws of their denoising queries."""
    rng = np.random.default_rng(0)
    images, sizes = normalised_batch([image_for(i, *shape, 0) for i, shape in enumerate(SHAPES)])
    centres, sides = rng.uniform(0.3, 0.7, (2, TARGETS, 2)), rng.uniform(0.1, 0.4, (2, TARGETS, 2))
    batch = Batch(
        images.asnumpy(),
        sizes.asnumpy(),
        np.concatenate((centres, sides), -1).astype(np.float32),
        rng.integers(0, SMALL_CLASSES, (2, TARGETS)).astype(np.int32),
        (np.arange(TARGETS) < np.array(counts)[:, None]).astype(np.float32),
        (1, 2),
        sizes.asnumpy(),
    )
    return step_inputs(config, SMALL_CLASSES)(batch, 0)


@pytest.mark.parametrize(
    ("name", "overrides", "losses"),
    [
        ("deformable_detr_two_stage_focus_r50_50ep", (), 10),
        ("deformable_detr_focus_r50_50ep", (), 7),
        ("dn_deformable_detr_focus_r50_50ep", (), 13),
        pytest.param(
            "dac_detr_r50_12ep", ("train.recompute=[decoder]",), 27, marks=pytest.mark.large
        ),
        pytest.param(
            "deformable_detr_two_stage_dac_r50_50ep",
            ("model.decoder.gathering=paper", "train.precision=fp16"),
            15,
            marks=pytest.mark.large,
        ),
    ],
)
def test_the_loss_falls_and_batches_without_boxes_are_harmless(
    name: str, overrides: tuple[str, ...], losses: int
) -> None:
    config = small_family_config(name, *ONE_LAYER, *overrides)
    if config.denoising.kind == "contrastive" and config.denoising.number > 0:
        config = replace(config, denoising=replace(config.denoising, number=8))
    loss = build_training_loss(config, SMALL_CLASSES)
    assert len(loss.loss_names) == losses
    optimizer = AdamW(trained_parameters(loss.model, OptimizerConfig(backbone_lr_factor=1.0)))
    step, rate = TrainStep(loss, Update(optimizer, 0.1)), Tensor(np.float32(2e-3))
    totals = [float(step(rate, *_batch(config, (4, 2)))[0].asnumpy()) for _ in range(12)]
    assert np.mean(totals[-3:]) < 0.9 * totals[0]
    for counts in ((0, 3), (0, 0)):
        total, _, norm, finite = (x.asnumpy() for x in step(rate, *_batch(config, counts)))
        assert finite and np.isfinite(total) and norm > 0
    assert len(step.compile_cache) == 1  # no count of boxes compiles again
