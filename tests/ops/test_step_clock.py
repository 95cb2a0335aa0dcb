"""The clock inside a graph: what it adds up, and that it changes no number."""

from __future__ import annotations

import time

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.ops.step_clock import (
    BACKWARD,
    FORWARD,
    MATCHING,
    backward_mark,
    forward_mark,
    mark,
    take_split,
)


@pytest.fixture(autouse=True)
def _no_marks_of_other_tests() -> None:
    take_split(0.0, 0.0)


def test_each_kind_of_work_gets_the_time_before_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.5, 1.75, 2.0, 4.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    for work in (FORWARD, MATCHING, FORWARD, BACKWARD):
        mark(work)
    assert take_split(1.0, 4.5) == {
        "forward": 750.0,
        "matching": 250.0,
        "backward": 2000.0,
        "update": 500.0,
    }
    assert take_split(1.0, 4.5) == {}


def test_marks_of_an_evaluation_before_the_step_do_not_count() -> None:
    mark(MATCHING)
    begin = time.perf_counter()
    mark(FORWARD)
    mark(BACKWARD)
    split = take_split(begin, time.perf_counter())
    assert list(split) == ["forward", "backward", "update"]
    assert min(split.values()) >= 0


def test_marks_of_the_matcher_alone_are_no_split() -> None:
    mark(FORWARD)
    mark(MATCHING)
    assert take_split(0.0, time.perf_counter()) == {}


class _Step(nn.Cell):
    """A product and its gradient, with or without marks."""

    def __init__(self, marked: bool) -> None:
        super().__init__()
        self.marked = marked
        self.weight = Parameter(Tensor(np.full((300, 300), 0.01, np.float32)), name="weight")
        self.forward_mark, self.backward_mark = forward_mark(), backward_mark()
        self.gradient = ops.value_and_grad(self.loss, None, (self.weight,))

    def loss(self, x: Tensor) -> Tensor:
        """[300, 300] -> []."""
        for _ in range(8):
            x = ops.matmul(x, self.weight)
        total = ops.square(x).mean()
        return self.forward_mark(total) if self.marked else total

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [] and gradient."""
        total, gradients = self.gradient(x)
        if self.marked:
            total = self.backward_mark(ops.depend(total, gradients))
        return total, gradients[0]


def test_marks_come_in_order_and_pass_values_on() -> None:
    x = Tensor(np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32))
    plain, marked = _Step(False), _Step(True)
    for _ in range(3):
        begin = time.perf_counter()
        results = [value.asnumpy() for value in marked(x)]
        end = time.perf_counter()
        split = take_split(begin, end)
        assert list(split) == ["forward", "backward", "update"]
        assert min(split.values()) > 0
        np.testing.assert_allclose(sum(split.values()), (end - begin) * 1000)
    for ours, expected in zip(results, plain(x), strict=True):
        np.testing.assert_array_equal(ours, expected.asnumpy())
    assert take_split(begin, time.perf_counter()) == {}


def test_another_device_is_not_made_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ms, "get_context", lambda key: "Ascend")
    value = Tensor(2.0, ms.float32)
    assert forward_mark()(value).asnumpy() == backward_mark()(value).asnumpy() == 2.0
    assert take_split(0.0, time.perf_counter()) == {}
