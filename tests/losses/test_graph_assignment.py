"""The assignment in the graph against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor, nn
from model_cases import pynative
from scipy.optimize import linear_sum_assignment

from focus_detr.losses.graph_assignment import assign_rows

PROBLEMS, ROWS, COLUMNS = 6, 7, 12


class _Assign(nn.Cell):
    def construct(self, cost: Tensor, used: Tensor) -> Tensor:
        return assign_rows(cost, used)


@pytest.fixture(scope="module")
def assign() -> _Assign:
    """One cell, so that every test uses the same compiled graph."""
    return _Assign()


def _check(assign: _Assign, cost: np.ndarray, rows: np.ndarray) -> None:
    used = np.arange(cost.shape[1]) < rows[:, None]
    columns = assign(Tensor(cost.astype(np.float32)), Tensor(used)).asnumpy()
    for problem, count in enumerate(rows):
        exact = cost[problem, :count].astype(np.float32).astype(np.float64)
        ours = columns[problem, :count]
        best = exact[linear_sum_assignment(exact)].sum()
        assert len(set(ours.tolist())) == count and ours.min(initial=0) >= 0
        assert exact[np.arange(count), ours].sum() - best <= 1e-6 * max(1.0, abs(best))
        assert (columns[problem, count:] == -1).all()


@pytest.mark.parametrize("seed", range(20))
def test_random_costs(assign: _Assign, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.normal(0.0, 5.0, (PROBLEMS, ROWS, COLUMNS))
    _check(assign, cost, rng.integers(0, ROWS + 1, PROBLEMS))


@pytest.mark.parametrize("seed", range(20))
def test_ties(assign: _Assign, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 3, (PROBLEMS, ROWS, COLUMNS)).astype(float)
    _check(assign, cost, np.full(PROBLEMS, ROWS))


def test_every_row_wants_the_same_columns(assign: _Assign) -> None:
    """Costs i * j: each new row pushes all the others one column on."""
    cost = np.outer(np.arange(ROWS, 0, -1), np.arange(COLUMNS)).astype(float)
    _check(assign, np.tile(cost, (PROBLEMS, 1, 1)), np.arange(PROBLEMS) + 2)


def test_equal_costs_and_no_rows(assign: _Assign) -> None:
    _check(assign, np.zeros((PROBLEMS, ROWS, COLUMNS)), np.full(PROBLEMS, ROWS))
    _check(assign, np.zeros((PROBLEMS, ROWS, COLUMNS)), np.zeros(PROBLEMS, int))


def test_square(assign: _Assign) -> None:
    cost = np.random.default_rng(3).normal(size=(PROBLEMS, ROWS, ROWS))
    with pynative():  # a shape of its own
        _check(assign, cost, np.full(PROBLEMS, ROWS))


def test_rows_in_use_need_not_lead(assign: _Assign) -> None:
    rng = np.random.default_rng(4)
    cost = rng.integers(0, 5, (PROBLEMS, ROWS, COLUMNS)).astype(np.float32)
    used = rng.random((PROBLEMS, ROWS)) < 0.5
    columns = assign(Tensor(cost), Tensor(used)).asnumpy()
    for problem, rows in enumerate(used):
        ours, exact = columns[problem, rows], cost[problem, rows]
        best = exact[linear_sum_assignment(exact)].sum()
        assert len(set(ours.tolist())) == rows.sum()
        assert exact[np.arange(len(ours)), ours].sum() == best
    assert (columns[~used] == -1).all()
