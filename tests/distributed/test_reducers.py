"""Numbers that workers share inside the step's graph; with a stand-in for the exchange."""

from __future__ import annotations

import pytest
from mindspore import Tensor, nn, ops

from focus_detr.distributed.reducers import BoxesPerWorker


class _WithAnother(nn.Cell):
    """Adds what another worker would give."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def construct(self, values: Tensor) -> Tensor:
        return values + self.number


@pytest.mark.parametrize(
    ("own", "other", "batches", "mean"),
    [
        (3.0, 1.0, 1, 2.0),
        (0.0, 0.0, 1, 0.5),
        (1 / 8, 0.0, 8, 1 / 16),  # one box in the eight batches of either worker
        (0.0, 0.0, 8, 1 / 16),
    ],
)
def test_two_workers_divide_by_the_boxes_of_all_their_batches(
    monkeypatch: pytest.MonkeyPatch, own: float, other: float, batches: int, mean: float
) -> None:
    monkeypatch.setattr(ops, "AllReduce", lambda kind: _WithAnother(other))
    assert float(BoxesPerWorker(2, batches)(Tensor(own))) == mean
