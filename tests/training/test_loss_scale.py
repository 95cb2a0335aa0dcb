"""The loss scale: when it grows and shrinks, and that it changes no gradient."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from focus_detr.training.adamw import AdamW
from focus_detr.training.loss_scale import LossScale
from focus_detr.training.parameter_groups import TrainedParameter
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update


def _values(scale: LossScale) -> tuple[float, int, int]:
    scale_now, age, skipped = (float(p.asnumpy()) for p in scale.saved_parameters())
    return scale_now, int(age), int(skipped)


def test_it_doubles_after_enough_good_steps_and_halves_after_a_bad_one() -> None:
    scale = LossScale(8.0, patience=2)
    seen = []
    for finite in (True, True, True, False, True, False, False, False, False):
        scale(Tensor(finite))
        seen.append(_values(scale))
    assert seen == [
        (8.0, 1, 0),
        (16.0, 0, 0),
        (16.0, 1, 0),
        (8.0, 0, 1),
        (8.0, 1, 1),
        (4.0, 0, 2),
        (2.0, 0, 3),
        (1.0, 0, 4),
        (1.0, 0, 5),
    ]
    assert scale.exhausted()


class _HalfLoss(nn.Cell):
    """A gradient of 1e-9 passes through float16, where it would be 0 without a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(Tensor(np.ones(2, np.float32)), name="weight")

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        half = (self.weight * x).astype(ms.float16)
        total = half.astype(ms.float32).sum() * 1e-9
        return total, total.reshape(1)


def test_small_gradients_survive_and_large_ones_are_skipped() -> None:
    loss, scale = _HalfLoss(), LossScale(2.0**16, patience=1)  # grows with every good step
    optimizer = AdamW([TrainedParameter("weight", loss.weight, 1.0, 0.0)])
    step = TrainStep(loss, Update(optimizer, 0.0, loss_scale=scale))
    rate = Tensor(0.1, ms.float32)
    *_, norm, finite = step(rate, Tensor(np.array([3.0, 4.0], np.float32)))
    assert bool(finite)
    np.testing.assert_allclose(float(norm), 5e-9, rtol=1e-2)
    first = optimizer.state()["optimizer.first.weight"]
    np.testing.assert_allclose(first, [3e-10, 4e-10], rtol=1e-2)
    moved = loss.weight.asnumpy().copy()
    *_, finite = step(rate, Tensor(np.array([1e9, 4.0], np.float32)))
    assert not bool(finite) and _values(scale) == (2.0**16, 0, 1)
    np.testing.assert_array_equal(loss.weight.asnumpy(), moved)
