"""One training step as one compiled graph."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.training.adamw import AdamW

_CLIP_EPSILON = 1e-6


def _squared_norm(gradient: Tensor) -> Tensor:
    row = gradient.reshape(1, -1)  # [...] -> [1, n]
    # as a product: on CPU twice as fast as squaring and summing
    return ops.matmul(row, row.reshape(-1, 1)).reshape(())  # [1, n] [n, 1] -> []


def _scaled(scale: Tensor, gradient: Tensor) -> Tensor:
    return gradient * scale


class TrainStep(nn.Cell):
    """Loss, gradients, clipping by their global norm, and the update.

    If the total or the gradient norm is not finite, neither weights nor optimiser state change.

    Args:
        loss_cell: ``construct(*batch) -> (total [], parts [n])``.
        optimizer: holds the parameters to train; those without a gradient get zeros.
        clip_norm: largest global norm (arithmetic of ``torch.nn.utils.clip_grad_norm_``);
            0 for no clipping.
        gradient_reducer: averages the gradients over workers, None for a single one.
    """

    def __init__(
        self,
        loss_cell: nn.Cell,
        optimizer: AdamW,
        clip_norm: float,
        gradient_reducer: nn.Cell | None = None,
    ) -> None:
        # a prefix would rename the parameters of the detector
        super().__init__(auto_prefix=False)
        self.loss_cell = loss_cell
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.gradient_reducer = gradient_reducer
        self.value_and_grad = ops.value_and_grad(
            loss_cell, None, optimizer.parameters, has_aux=True
        )
        self.map = ops.HyperMap()

    def construct(self, lr: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Takes one step.

        Args:
            lr: scalar float32 learning rate.
            *batch: what the loss cell takes.

        Returns:
            Total loss [], its parts [n], gradient norm before clipping [], and whether the update
            was made [] bool.
        """
        (total, parts), gradients = self.value_and_grad(*batch)
        if self.gradient_reducer is not None:
            gradients = self.gradient_reducer(self._poisoned(total, gradients))
        norm = ops.sqrt(ops.addn(self.map(_squared_norm, gradients)))
        finite = ops.logical_and(ops.isfinite(total), ops.isfinite(norm))
        if self.clip_norm > 0:
            scale = ops.clamp(self.clip_norm / (norm + _CLIP_EPSILON), max=1.0)
            gradients = self.map(ops.partial(_scaled, scale), gradients)
        if finite:
            total = ops.depend(total, self.optimizer(gradients, lr))
        return total, parts, norm, finite

    def _poisoned(self, total: Tensor, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # one worker's bad loss must reach the others, or only they would make the update
        poison = ops.select(
            ops.isfinite(total), Tensor(0.0, ms.float32), Tensor(float("nan"), ms.float32)
        )
        return (gradients[0] + poison,) + gradients[1:]  # noqa: RUF005 (no star in graphs)
