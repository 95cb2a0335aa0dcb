"""What a training step does with its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.config.schema import TrainConfig
from focus_detr.training.adamw import AdamW
from focus_detr.training.averages import AVERAGE, Averages
from focus_detr.training.loss_scale import SCALE, LossScale
from focus_detr.training.parameter_groups import trained_parameters
from focus_detr.training.saved_parameters import copies, restore

_CLIP_EPSILON = 1e-6


def _squared_norm(gradient: Tensor) -> Tensor:
    row = gradient.reshape(1, -1)  # [...] -> [1, n]
    # as a product: on CPU twice as fast as squaring and summing
    return ops.matmul(row, row.reshape(-1, 1)).reshape(())  # [1, n] [n, 1] -> []


def _scaled(scale: Tensor, gradient: Tensor) -> Tensor:
    return gradient * scale


class Update(nn.Cell):
    """Clipping by the global norm, AdamW, and what follows the weights.

    If the total or the gradient norm is not finite, neither weights nor optimiser state change.

    Args:
        optimizer: holds the parameters to train.
        clip_norm: largest global norm (arithmetic of ``torch.nn.utils.clip_grad_norm_``);
            0 for no clipping.
        averages: of the weights, or None.
        loss_scale: of the loss that the gradients belong to, or None for 1.
    """

    def __init__(
        self,
        optimizer: AdamW,
        clip_norm: float,
        *,
        averages: Averages | None = None,
        loss_scale: LossScale | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.averages = averages
        self.loss_scale = loss_scale
        self.map = ops.HyperMap()

    def scale(self) -> Tensor:
        """What the loss must be multiplied by before it is differentiated: []."""
        if self.loss_scale is None:
            return Tensor(1.0, ms.float32)
        return self.loss_scale.scale + 0.0  # a copy: the parameter changes in this step

    def construct(
        self, total: Tensor, gradients: tuple[Tensor, ...], scale: Tensor, lr: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update everything.

        Args:
            total: [] loss, not scaled.
            gradients: one per parameter of the optimizer, of the scaled loss.
            scale: [] of the loss.
            lr: [] float32 learning rate.

        Returns:
            The norm of the unscaled gradients before clipping [], and whether the update was made
            [] bool.
        """
        norm = ops.sqrt(ops.addn(self.map(_squared_norm, gradients)))
        if self.loss_scale is not None:
            norm = norm / scale
        finite = ops.logical_and(ops.isfinite(total), ops.isfinite(norm))
        if self.clip_norm > 0:
            factor = ops.clamp(self.clip_norm / (norm + _CLIP_EPSILON), max=1.0)
            gradients = self.map(ops.partial(_scaled, factor / scale), gradients)
        elif self.loss_scale is not None:
            gradients = self.map(ops.partial(_scaled, 1.0 / scale), gradients)
        if finite:
            norm = ops.depend(norm, self.optimizer(gradients, lr))
            if self.averages is not None:
                norm = ops.depend(norm, self.averages(self.optimizer.step))
        if self.loss_scale is not None:
            norm = ops.depend(norm, self.loss_scale(finite))
        return norm, finite

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that outlives a step, by name; the weights are not among them."""
        return {**self.optimizer.state(), **copies(self._followers())}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Restore what ``state`` gave; further entries of ``tensors`` are ignored.

        Averages and a loss scale that the tensors lack start anew, the averages from the weights
        as they are now.

        Raises:
            FocusDetrError: a tensor is missing or has another shape.
        """
        self.optimizer.load_state(tensors)
        if self.averages is not None and not any(name.startswith(AVERAGE) for name in tensors):
            self.averages.restart()
        stored = [
            parameter
            for parameter in self._followers()
            if any(name.startswith(_kind(parameter)) for name in tensors)
        ]
        restore(stored, tensors)

    def scaling(self) -> dict[str, Any]:
        """Loss scale and skipped updates, as a ``StepReport`` has them."""
        if self.loss_scale is None:
            return {}
        return {
            "loss_scale": float(self.loss_scale.scale.asnumpy()),
            "skipped": int(self.loss_scale.skipped.asnumpy()),
        }

    def can_shrink_scale(self) -> bool:
        """Whether a bad step may be due to a loss scale that is too large."""
        return self.loss_scale is not None and not self.loss_scale.exhausted()

    def averaged(self) -> AbstractContextManager[None]:
        """Context in which the model has the weights that are to be evaluated."""
        return nullcontext() if self.averages is None else self.averages.applied()

    def _followers(self) -> tuple[Parameter, ...]:
        parts = (self.averages, self.loss_scale)
        return tuple(p for part in parts if part is not None for p in part.saved_parameters())


def _kind(parameter: Parameter) -> str:
    return AVERAGE if parameter.name.startswith(AVERAGE) else SCALE


def build_update(model: nn.Cell, config: TrainConfig) -> Update:
    """The update that the settings describe, for the weights of a model.

    Raises:
        FocusDetrError: as ``trained_parameters``.
    """
    optimizer = config.optimizer
    trained = trained_parameters(model, optimizer)
    return Update(
        AdamW(trained),
        optimizer.clip_norm,
        averages=Averages(trained, optimizer.ema_decay) if optimizer.ema_decay > 0 else None,
        loss_scale=LossScale() if config.precision == "fp16" else None,
    )
