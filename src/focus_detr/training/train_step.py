"""One training step as one compiled graph."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.graph_cache.kept_graphs import KeptGraphs
from focus_detr.ops.step_clock import backward_mark, forward_mark
from focus_detr.training.adamw import AdamW
from focus_detr.training.update import Update


class ScaledLoss(nn.Cell):
    """A loss cell whose total is multiplied by a factor for differentiation."""

    def __init__(self, loss_cell: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.loss_cell = loss_cell
        self.forward_mark = forward_mark()

    def construct(self, scale: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scaled total [], total [] and parts [n]."""
        total, parts = self.loss_cell(*batch)
        total = self.forward_mark(total)
        return total * scale, total, parts


class TrainStep(KeptGraphs):
    """Loss, gradients and update.

    Args:
        loss_cell: ``construct(*batch) -> (total [], parts [n])``.
        update: holds the parameters to train; those without a gradient get zeros.
        gradient_reducer: averages the gradients over workers, None for a single one.
    """

    def __init__(
        self, loss_cell: nn.Cell, update: Update, gradient_reducer: nn.Cell | None = None
    ) -> None:
        # a prefix would rename the parameters of the detector
        super().__init__(auto_prefix=False)
        self.loss_cell = ScaledLoss(loss_cell)  # an attribute, for set_train to reach it
        self.update = update
        self.gradient_reducer = gradient_reducer
        self.backward_mark = backward_mark()
        self.value_and_grad = ops.value_and_grad(
            self.loss_cell, None, update.optimizer.parameters, has_aux=True
        )

    @property
    def optimizer(self) -> AdamW:
        """The optimiser of the update."""
        return self.update.optimizer

    def construct(self, lr: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Takes one step.

        Args:
            lr: scalar float32 learning rate.
            *batch: what the loss cell takes.

        Returns:
            Total loss [], its parts [n], gradient norm before clipping [], and whether the update
            was made [] bool.
        """
        scale = self.update.scale()
        (_, total, parts), gradients = self.value_and_grad(scale, *batch)
        if self.gradient_reducer is not None:
            gradients = self.gradient_reducer(poisoned(total, gradients))
        total = self.backward_mark(ops.depend(total, gradients))
        norm, finite = self.update(total, gradients, scale, lr)
        return total, parts, norm, finite


def poisoned(total: Tensor, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The gradients, not finite if the total is not.

    One worker's bad loss must reach the others, or only they would make the update.
    """
    poison = ops.select(
        ops.isfinite(total), Tensor(0.0, ms.float32), Tensor(float("nan"), ms.float32)
    )
    return (gradients[0] + poison,) + gradients[1:]  # noqa: RUF005 (no star in graphs)
