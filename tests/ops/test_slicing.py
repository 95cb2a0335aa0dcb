"""Parts of tensors equal brackets, and so do their gradients."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from focus_detr.ops.slicing import part


class _Part(nn.Cell):
    def __init__(self, axis: int, start: int, end: int) -> None:
        super().__init__()
        self.place = axis, start, end

    def construct(self, x: Tensor) -> Tensor:
        return part(x, self.place[0], self.place[1], self.place[2])


@pytest.mark.parametrize(
    ("axis", "start", "end", "place"),
    [(0, 1, 2, np.s_[1:2]), (1, 0, 2, np.s_[:, :2]), (-1, 3, 9, np.s_[:, :, 3:9])],
)
def test_a_part_is_what_brackets_give(axis: int, start: int, end: int, place: tuple) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    cut, gradient = ms.value_and_grad(_Part(axis, start, end))(Tensor(x))
    np.testing.assert_array_equal(cut.asnumpy(), x[place])
    expected = np.zeros_like(x)
    expected[place] = 1
    np.testing.assert_array_equal(gradient.asnumpy(), expected)
