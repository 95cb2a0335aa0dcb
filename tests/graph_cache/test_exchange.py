"""Graphs in and out of MindSpore's compile cache."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.graph_cache.exchange import compile_with

INPUT = Tensor(np.array([1.0, 2.0], np.float32))


class _Growing(nn.Cell):
    """Multiplies its weight by a constant of the graph, then the input by the weight."""

    def __init__(self, factor: float, start: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.weight = Parameter(Tensor(start, ms.float32), name="weight")

    def construct(self, values: Tensor) -> Tensor:
        return values * ops.assign(self.weight, self.weight * self.factor)


class _Broken(nn.Cell):
    def construct(self, values: Tensor) -> Tensor:
        return values.no_such_method()


def _compiled(cell: nn.Cell, graph: bytes | None) -> bytes | None:
    return compile_with(lambda: cell.compile(INPUT), graph)


@pytest.fixture(scope="module")
def doubling() -> bytes:
    """The graph of a cell that doubles."""
    graph = _compiled(_Growing(2.0), None)
    assert graph is not None
    return graph


def test_a_given_graph_is_run_on_the_cell_s_own_weights(doubling: bytes) -> None:
    cell = _Growing(5.0, start=3.0)  # the factor tells whose graph runs
    assert _compiled(cell, doubling) is None
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [6.0, 12.0])
    assert float(cell.weight.asnumpy()) == 6.0
    cell.weight.set_data(Tensor(10.0, ms.float32))
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [20.0, 40.0])


@pytest.mark.parametrize("spoil", [lambda graph: graph[: len(graph) // 2], lambda graph: b""])
def test_a_graph_that_cannot_be_read_is_compiled(
    doubling: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    cell = _Growing(5.0)
    _compiled(cell, spoil(doubling))
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [5.0, 10.0])


def test_compilations_that_fail_and_those_of_others_do_no_harm(doubling: bytes) -> None:
    with pytest.raises(Exception, match="no_such_method"):
        _compiled(_Broken(), None)
    plain = _Growing(7.0)
    np.testing.assert_array_equal(plain(INPUT).asnumpy(), [7.0, 14.0])  # not through the cache
    cell = _Growing(5.0)
    assert _compiled(cell, doubling) is None
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [2.0, 4.0])
