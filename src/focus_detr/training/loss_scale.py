"""A factor on the loss that keeps the gradients of half precision from vanishing."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

SCALE = "optimizer.loss_scale"
AGE = "optimizer.loss_scale_age"
SKIPPED = "optimizer.skipped_steps"
LEAST, MOST = 1.0, 2.0**24


class LossScale(nn.Cell):
    """Doubles after ``patience`` good steps, halves after a bad one (Micikevicius et al. 2018).

    Args:
        initial: the first factor.
        patience: good steps in a row before it grows.
    """

    def __init__(self, initial: float = 2.0**16, patience: int = 2000) -> None:
        super().__init__(auto_prefix=False)
        self.patience = patience
        self.scale = Parameter(Tensor(initial, ms.float32), name=SCALE, requires_grad=False)
        self.age = Parameter(Tensor(0, ms.int32), name=AGE, requires_grad=False)
        self.skipped = Parameter(Tensor(0, ms.int32), name=SKIPPED, requires_grad=False)

    def construct(self, finite: Tensor) -> Tensor:
        """Take note of a step; ``finite`` [] bool says whether its update was made."""
        good = finite.astype(ms.float32)
        age = (self.age + 1) * finite.astype(ms.int32)
        grows = (age >= self.patience).astype(ms.float32)
        factor = good * (1.0 + grows) + (1.0 - good) * 0.5
        scale = ops.clamp(self.scale * factor, LEAST, MOST)
        age = age * (age < self.patience).astype(ms.int32)
        skipped = self.skipped + 1 - finite.astype(ms.int32)
        ops.assign(self.age, age)
        ops.assign(self.skipped, skipped)
        ops.assign(self.scale, scale)
        return scale

    def saved_parameters(self) -> tuple[Parameter, ...]:
        """Its whole state."""
        return (self.scale, self.age, self.skipped)

    def exhausted(self) -> bool:
        """Whether the factor cannot get smaller."""
        return float(self.scale.asnumpy()) <= LEAST
