"""Graphs in and out of MindSpore's compile cache."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.graph_cache import exchange
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
def test_a_graph_that_cannot_be_read_is_compiled_and_replaced(
    doubling: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    cell = _Growing(5.0)
    new = _compiled(cell, spoil(doubling))
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [5.0, 10.0])
    assert new is not None
    later = _Growing(7.0)
    assert _compiled(later, new) is None
    np.testing.assert_array_equal(later(INPUT).asnumpy(), [5.0, 10.0])


def test_compilations_that_fail_and_those_of_others_do_no_harm(doubling: bytes) -> None:
    with pytest.raises(Exception, match="no_such_method"):
        _compiled(_Broken(), None)
    plain = _Growing(7.0)
    np.testing.assert_array_equal(plain(INPUT).asnumpy(), [7.0, 14.0])  # not through the cache
    cell = _Growing(5.0)
    assert _compiled(cell, doubling) is None
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [2.0, 4.0])


@pytest.fixture
def exchange_afterwards_as_before() -> Iterator[None]:
    """For tests that spoil the folder of this process."""
    state = exchange._exchange()
    folder, usable = state._folder, state._usable
    yield
    state._folder, state._usable = folder, usable


@pytest.mark.usefixtures("exchange_afterwards_as_before")
@pytest.mark.parametrize("known", [False, True], ids=["new graph", "kept graph"])
def test_without_a_temporary_folder_compilations_are_plain(
    known: bool,
    doubling: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    exchange._exchange()._folder = None
    with caplog.at_level(logging.WARNING):
        for factor in (3.0, 5.0):
            cell = _Growing(factor)
            assert _compiled(cell, doubling if known else None) is None
            np.testing.assert_array_equal(cell(INPUT).asnumpy(), [factor, 2 * factor])
    assert len(caplog.records) == 1
    assert "neither kept nor used in this run: [Errno 20]" in caplog.text


@pytest.mark.usefixtures("exchange_afterwards_as_before")
def test_a_folder_that_cannot_be_made_ends_in_plain_compilations(
    doubling: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    exchange._exchange()._folder = tmp_path / "file"
    cell = _Growing(5.0)
    assert _compiled(cell, doubling) is None
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [5.0, 10.0])
    assert len(caplog.records) == 1


@pytest.mark.parametrize("known", [False, True], ids=["new graph", "kept graph"])
def test_on_a_full_disk_graphs_are_neither_given_nor_taken(
    known: bool,
    doubling: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    cell, after = _Growing(5.0), _Growing(7.0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        patch.setattr(exchange._exchange(), "_usable", True)  # and afterwards, whatever happened
        assert _compiled(cell, doubling if known else None) is None
        assert _compiled(after, doubling) is None
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    np.testing.assert_array_equal(cell(INPUT).asnumpy(), [5.0, 10.0])
    np.testing.assert_array_equal(after(INPUT).asnumpy(), [7.0, 14.0])
    last = _Growing(9.0)
    assert _compiled(last, doubling) is None
    np.testing.assert_array_equal(last(INPUT).asnumpy(), [2.0, 4.0])  # the numbers still agree
