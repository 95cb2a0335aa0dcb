"""AdamW with decoupled weight decay and bias correction, for graph mode.

Loshchilov & Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), with the order of
operations of ``torch.optim.AdamW``. MindSpore's fused kernel has no bias correction; it is handed
a step size, an epsilon and a decay that contain it, which is exact:

    lr * (m / c1) / (sqrt(v / c2) + eps) = (lr * r / c1) * m / (sqrt(v) + eps * r),  r = sqrt(c2)

with c1 = 1 - beta1^t and c2 = 1 - beta2^t. One fused kernel per parameter takes a third of the
time, and of the compile time, of the same formula in separate operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from focus_detr.training.parameter_groups import TrainedParameter
from focus_detr.training.saved_parameters import copies, restore

FIRST_MOMENT = "optimizer.first"
SECOND_MOMENT = "optimizer.second"
STEP = "optimizer.step"

_fused_update = ops.AdamWeightDecay()
_update = ops.MultitypeFuncGraph("adamw_update")


@_update.register(
    *("Float", "Float", "Tensor", "Tensor", "Tensor", "Tensor"),
    *("Float", "Float", "Tensor", "Tensor", "Tensor", "Tensor"),
)
def _update_one(
    beta1, beta2, epsilon, lr, step_scale, decay_scale, lr_factor, decay, parameter, gradient, m, v
):
    rate = lr * lr_factor * step_scale
    decay = decay_scale * decay
    done = _fused_update(parameter, m, v, rate, beta1, beta2, epsilon, decay, gradient)
    return ops.depend(True, done)


def _zeros(trained: Sequence[TrainedParameter], prefix: str) -> ParameterTuple:
    return ParameterTuple(
        [
            Parameter(ops.zeros_like(t.parameter), name=f"{prefix}.{t.name}", requires_grad=False)
            for t in trained
        ]
    )


class AdamW(nn.Cell):
    """Updates the parameters in place; the learning rate is an argument, so schedules are free.

    Its whole state are the moments and the step, named ``optimizer.first.<parameter>``,
    ``optimizer.second.<parameter>`` and ``optimizer.step``.

    Args:
        trained: the parameters with their learning-rate factor and weight decay.
        beta1: decay of the mean of the gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the root of the latter.
    """

    def __init__(
        self,
        trained: Sequence[TrainedParameter],
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = ParameterTuple([t.parameter for t in trained])
        self.first = _zeros(trained, FIRST_MOMENT)
        self.second = _zeros(trained, SECOND_MOMENT)
        self.step = Parameter(Tensor(0, ms.int32), name=STEP, requires_grad=False)
        self.lr_factors = tuple(t.lr_factor for t in trained)
        self.weight_decays = tuple(t.weight_decay for t in trained)
        self.beta1 = beta1
        self.beta2 = beta2
        self.log_betas = (math.log(beta1), math.log(beta2))
        self.epsilon = epsilon
        # a Python loop over hundreds of parameters takes minutes to compile
        self.map = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...], lr: Tensor) -> tuple[bool, ...]:
        """Takes one step.

        Args:
            gradients: one per parameter, in the order of ``self.parameters``.
            lr: scalar float32, before the parameters' own factors.
        """
        step = self.step + 1
        ops.assign(self.step, step)
        time = step.astype(ms.float32)
        # expm1: 1 - beta^t loses five digits in float32 for beta near 1
        correction1 = -ops.expm1(time * self.log_betas[0])
        root2 = ops.sqrt(-ops.expm1(time * self.log_betas[1]))
        scale = root2 / correction1
        epsilon = root2 * self.epsilon
        update = ops.partial(_update, self.beta1, self.beta2, epsilon, lr, scale, 1.0 / scale)
        factors, decays = self.lr_factors, self.weight_decays
        return self.map(
            update, factors, decays, self.parameters, gradients, self.first, self.second
        )

    def state(self) -> dict[str, np.ndarray]:
        """Copies of the moments and the step, by name."""
        return copies(self._state_parameters())

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Restores what ``state`` gave; further entries of ``tensors`` are ignored.

        Raises:
            FocusDetrError: a moment is missing or has another shape. Nothing is changed then.
        """
        restore(self._state_parameters(), tensors)

    def _state_parameters(self) -> tuple[Parameter, ...]:
        return (*self.first, *self.second, self.step)
