"""The training step, cut off after the forward pass, after the gradients, or whole."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.config.schema import Config
from focus_detr.data.random_batch import random_batch
from focus_detr.losses.factory import build_training_loss
from focus_detr.training.accumulation import BatchGroup, build_step, grouped_inputs
from focus_detr.training.adamw import AdamW
from focus_detr.training.inputs import step_inputs
from focus_detr.training.update import build_update

FORWARD = "loss"
GRADIENTS = "loss and gradients"
STEP = "whole step"
TRAINING_PARTS = (FORWARD, GRADIENTS, STEP)


class LossAndGradients(nn.Cell):
    """What a step does before it clips and updates."""

    def __init__(self, loss_cell: nn.Cell, optimizer: AdamW) -> None:
        super().__init__(auto_prefix=False)
        self.value_and_grad = ops.value_and_grad(
            loss_cell, None, optimizer.parameters, has_aux=True
        )

    def construct(self, *batch: Tensor) -> tuple:
        """Arguments of the loss -> (total [], parts [n]) and the gradients."""
        return self.value_and_grad(*batch)


class TrainingParts:
    """A training step on one random batch, as far as ``part`` says.

    Args:
        config: all settings.
        num_classes: number of object classes.
        height: of the images, pixels.
        width: likewise.
        part: one of ``TRAINING_PARTS``.
    """

    def __init__(
        self, config: Config, num_classes: int, height: int, width: int, *, part: str
    ) -> None:
        loss = build_training_loss(config, num_classes)
        inputs = step_inputs(config, num_classes, branches=loss.branches)
        images = random_batch(config, num_classes, height, width)
        batch = inputs(images, 0)
        update = build_update(loss.model, config.train)
        gradients = LossAndGradients(loss, update.optimizer)
        count = config.train.accumulate
        step = build_step(loss, update, count)
        fed = images if count == 1 else BatchGroup((images,) * count)
        group = grouped_inputs(inputs, count)(fed, 0)
        rate = Tensor(config.train.optimizer.lr, ms.float32)
        self.part = part
        self.whole: Callable[[], object] = {
            FORWARD: lambda: loss(*batch),
            GRADIENTS: lambda: gradients(*batch),
            STEP: lambda: step(rate, *group),
        }[part]

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {self.part: self.whole}
