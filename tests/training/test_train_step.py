"""The compiled step: clipping, the update, the guard against bad numbers."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.training.adamw import AdamW
from focus_detr.training.parameter_groups import TrainedParameter
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import Update

LR = Tensor(0.01, ms.float32)


class _Loss(nn.Cell):
    """Two weights, one of them without any influence: total = sum(x * used), parts its terms."""

    def __init__(self) -> None:
        super().__init__()
        self.used = Parameter(Tensor(np.array([1.0, -2.0, 3.0], np.float32)), name="used")
        self.unused = Parameter(Tensor(np.ones((2, 2), np.float32)), name="unused")

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        parts = x * self.used
        return parts.sum(), parts


class _Halve(nn.Cell):
    """Stands for the mean over two workers of which the other has zero gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.map = ops.HyperMap()

    def construct(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return self.map(_half, gradients)


def _half(gradient: Tensor) -> Tensor:
    return gradient * 0.5


def _step(clip: float, reducer: nn.Cell | None = None) -> tuple[TrainStep, _Loss]:
    loss = _Loss()
    optimizer = AdamW([TrainedParameter(p.name, p, 1.0, 0.0) for p in loss.trainable_params()])
    return TrainStep(loss, Update(optimizer, clip), reducer), loss


def _x(*values: float) -> Tensor:
    return Tensor(np.array(values, np.float32))


@pytest.mark.parametrize(("clip", "scale"), [(0.1, 0.1 / (3.0 + 1e-6)), (5.0, 1.0), (0.0, 1.0)])
def test_gradients_are_clipped_by_their_global_norm(clip: float, scale: float) -> None:
    step, loss = _step(clip)
    total, parts, norm, finite = step(LR, _x(1, 2, 2))
    np.testing.assert_allclose(parts.asnumpy(), [1, -4, 6])
    assert (float(total), float(norm), bool(finite)) == (3.0, 3.0, True)
    first = step.optimizer.state()["optimizer.first.used"]
    np.testing.assert_allclose(first, 0.1 * scale * np.array([1, 2, 2]), rtol=1e-6)
    # the first step of Adam moves every weight with a gradient by the learning rate
    np.testing.assert_allclose(loss.used.asnumpy(), [0.99, -2.01, 2.99], atol=1e-6)
    np.testing.assert_array_equal(loss.unused.asnumpy(), np.ones((2, 2)))


@pytest.mark.parametrize("bad", [(np.nan, 1, 1), (np.inf, 1, 1), (3e38, 3e38, -3e38)])
@pytest.mark.parametrize("reducer", [False, True])
def test_bad_numbers_leave_weights_and_state_alone(bad: tuple[float, ...], reducer: bool) -> None:
    step, loss = _step(0.1, _Halve() if reducer else None)
    step(LR, _x(1, 2, 2))
    before = {**step.optimizer.state(), "used": loss.used.asnumpy().copy()}
    *_, finite = step(LR, _x(*bad))
    assert not bool(finite)
    for name, value in {**step.optimizer.state(), "used": loss.used.asnumpy()}.items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert bool(step(LR, _x(1, 2, 2))[3])
    assert step.optimizer.state()["optimizer.step"] == 2


def test_the_reducer_acts_before_the_norm() -> None:
    step, _ = _step(0.0, _Halve())
    _, _, norm, _ = step(LR, _x(1, 2, 2))
    assert float(norm) == pytest.approx(1.5)


def test_wrapping_does_not_rename_parameters() -> None:
    step, loss = _step(0.1)
    assert [p.name for p in loss.get_parameters()] == ["used", "unused"]
    assert "used" in [p.name for p in step.get_parameters()]


def test_the_loss_follows_the_step_into_training() -> None:
    step, loss = _step(0.1)
    loss.set_train(False)
    step.set_train(True)
    assert loss.training
