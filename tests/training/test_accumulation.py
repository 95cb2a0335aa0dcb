"""Several batches per update against one large batch."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from mindspore import Tensor
from model_cases import SMALL_CLASSES, pynative, small_config
from tiny_training import TinyLoader

from focus_detr.config.schema import Config, DenoisingConfig, OptimizerConfig, TrainConfig
from focus_detr.data.batch import Batch
from focus_detr.errors import FocusDetrError
from focus_detr.losses.factory import build_training_loss
from focus_detr.training.accumulation import (
    BatchGroup,
    GroupLoader,
    build_step,
    grouped,
    grouped_inputs,
)
from focus_detr.training.inputs import StepInputs
from focus_detr.training.update import build_update

NUMBER, TARGETS = 4, 5
CONFIG = Config(
    model=replace(
        small_config(),
        encoder=replace(small_config().encoder, layers=1, cascade=(1.0,)),
        decoder=replace(small_config().decoder, layers=1),
    ),
    denoising=DenoisingConfig(number=NUMBER),
    train=TrainConfig(optimizer=OptimizerConfig(clip_norm=1e9)),
)


def _batch(counts: tuple[int, ...]) -> Batch:
    """Images of one size with so many boxes."""
    rng = np.random.default_rng(0)
    size = len(counts)
    boxes = rng.uniform(0.2, 0.6, (size, TARGETS, 4)).astype(np.float32)
    sizes = np.tile(np.array([[60, 64]], np.int32), (size, 1))
    return Batch(
        images=rng.normal(size=(size, 3, 64, 64)).astype(np.float32),
        image_sizes=sizes,
        boxes=boxes,
        labels=rng.integers(0, SMALL_CLASSES, (size, TARGETS)).astype(np.int32),
        box_valid=(np.arange(TARGETS) < np.array(counts)[:, None]).astype(np.float32),
        image_ids=tuple(range(size)),
        original_sizes=sizes,
    )


def _image(batch: Batch, index: int) -> Batch:
    arrays = {
        name: value[index : index + 1] for name, value in vars(batch).items() if name != "image_ids"
    }
    return Batch(**arrays, image_ids=(index,))


def test_two_batches_of_one_image_equal_one_batch_of_two() -> None:
    """Gradients, by way of the first moment, which is linear in them, and the losses.

    The step of several batches in its graphs, that of one operation by operation.
    """
    large = _batch((3, 3))  # as many boxes in both, for equal denoising groups
    draws = StepInputs(0, NUMBER, SMALL_CLASSES)(large, 0)[5:]
    results = []
    for count, mode in ((1, pynative), (2, nullcontext)):
        with mode():
            loss = build_training_loss(CONFIG, SMALL_CLASSES)
            step = build_step(loss, build_update(loss.model, CONFIG.train), count)
            step.set_train(True)
            inputs = grouped_inputs(lambda batch, _: _arguments(batch, draws), count)
            fed = large if count == 1 else BatchGroup((_image(large, 0), _image(large, 1)))
            total, parts, norm, finite = step(Tensor(np.float32(1e-3)), *inputs(fed, 0))
        assert bool(finite)
        results.append((float(total), parts.asnumpy(), float(norm), step.optimizer.state()))
    (total, parts, norm, state), (total2, parts2, norm2, state2) = results
    np.testing.assert_allclose((total2, norm2), (total, norm), rtol=2e-5)
    np.testing.assert_allclose(parts2, parts, rtol=1e-4, atol=1e-5)
    for name, moment in state.items():
        if name.startswith("optimizer.first"):
            np.testing.assert_allclose(state2[name], moment, atol=2e-6 * norm, err_msg=name)


def _arguments(batch: Batch, draws: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Loss arguments with each image's own share of the draws."""
    targets = (batch.boxes, batch.labels, batch.box_valid)
    arrays = (batch.images, batch.image_sizes, *targets)
    first, count = batch.image_ids[0], len(batch.image_ids)
    return (*map(Tensor, arrays), *(draw[first : first + count] for draw in draws))


@pytest.mark.parametrize(
    ("counts", "shared", "mean"),
    [
        ((3, 1), False, 2.0),
        ((0, 1), False, 0.5),
        ((0, 0), False, 0.5),
        ((3, 1), True, 2.0),
        ((0, 0), True, 0.0),
    ],
)
def test_the_boxes_of_the_group_are_counted(
    counts: tuple[int, int], shared: bool, mean: float
) -> None:
    group = BatchGroup(tuple(_image(_batch(counts), index) for index in range(2)))
    steps = []

    def inputs(batch: Batch, step: int) -> tuple[Tensor, ...]:
        steps.append((step, batch.image_ids))
        return (Tensor(batch.labels),)

    made = grouped_inputs(inputs, 2, shared=shared)(group, 7)
    assert steps == [(14, (0,)), (15, (1,))]
    assert [float(arguments[0]) for arguments in made] == [mean, mean]


def test_groups_start_anywhere_and_leave_the_rest_out() -> None:
    inner = TinyLoader(batches=7)
    loader = grouped(inner, 3)
    assert len(loader) == 2
    ids = [group.image_ids for group in loader.epoch(1)]
    assert ids == [tuple(range(100, 106)), tuple(range(106, 112))]
    assert [group.image_ids for group in loader.epoch(1, 1)] == ids[1:]
    assert inner.closed == 2
    assert grouped(inner, 1) is inner
    with pytest.raises(FocusDetrError, match="accumulate is 8, but an epoch has only 7"):
        GroupLoader(inner, 8)
