"""Exponential moving average of the weights, which often detects better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from focus_detr.training.parameter_groups import TrainedParameter
from focus_detr.training.saved_parameters import copies

AVERAGE = "optimizer.average"
WARM_UP = 10.0  # updates; larger means a slower rise of the decay

_blend = ops.MultitypeFuncGraph("average_blend")


@_blend.register("Tensor", "Tensor", "Tensor")
def _blend_one(share, average, parameter):
    done = ops.assign(average, average + (parameter - average) * share)
    return ops.depend(True, done)


def _write(parameter: Parameter, values: np.ndarray) -> None:
    """In place: after ``set_data``, graphs that share a parameter go on with separate copies."""
    ops.assign(parameter, Tensor(values))


class Averages(nn.Cell):
    """average += (weight - average) * (1 - d), d = min(decay, (t - 1) / (t - 1 + 10)).

    The first update copies the weights, so it does not matter what the averages start with. They
    are named ``optimizer.average.<parameter>``; frozen parameters have none.

    Args:
        trained: the parameters to follow.
        decay: of old weights, once the updates t are many.
    """

    def __init__(self, trained: Sequence[TrainedParameter], decay: float) -> None:
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.names = tuple(t.name for t in trained)
        self.parameters = ParameterTuple([t.parameter for t in trained])
        self.averages = ParameterTuple(
            [
                Parameter(t.parameter.asnumpy(), name=f"{AVERAGE}.{t.name}", requires_grad=False)
                for t in trained
            ]
        )
        self.map = ops.HyperMap()

    def construct(self, update: Tensor) -> tuple[bool, ...]:
        """Follow the weights after update number ``update`` ([] int32, from 1)."""
        before = update.astype(ms.float32) - 1.0
        share = 1.0 - ops.clamp(before / (before + WARM_UP), max=self.decay)
        return self.map(ops.partial(_blend, share), self.averages, self.parameters)

    def saved_parameters(self) -> tuple[Parameter, ...]:
        """Its whole state."""
        return tuple(self.averages)

    def restart(self) -> None:
        """Begin again at the present weights."""
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            _write(average, parameter.asnumpy())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the model has the averages for weights."""
        weights = copies(self.parameters)
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            _write(parameter, average.asnumpy())
        try:
            yield
        finally:
            for parameter in self.parameters:
                _write(parameter, weights[parameter.name])
