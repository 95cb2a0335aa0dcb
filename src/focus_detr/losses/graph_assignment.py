"""Minimum-cost assignment as tensor operations: many problems at once in one while loop.

Shortest augmenting paths with potentials (Jonker and Volgenant 1987), started from each row's
cheapest column. All problems advance together, each in its own phase: it searches for a free
column, or it walks back along the path that it found and re-assigns columns. Loop state is a tuple
of tensors, N problems with T rows and Q columns:

- ``column_of`` [N, T] and ``row_of`` [N, Q] int32: the assignment, -1 for none;
- ``row_price`` [N, T], ``column_price`` [N, Q]: the potentials;
- ``reached`` [N, T], ``settled`` [N, Q] bool: rows and columns of the search so far;
- ``distance`` [N, Q], ``parent`` [N, Q]: shortest path to each column and its last row;
- ``row`` [N, 1], ``level`` [N, 1]: the row to search from and the distance to it;
- ``back`` [N, 1]: the column to re-assign next, -1 while searching.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, ops

_FAR = 1e18

State = tuple[Tensor, ...]


def _pick(table: Tensor, index: Tensor) -> Tensor:
    """Read one entry per problem: table [N, X], index [N, 1] (negative reads entry 0) -> [N, 1]."""
    return ops.gather_d(table, 1, ops.relu(index))  # [N, 1]


def _row_costs(cost: Tensor, row: Tensor) -> Tensor:
    """Read one row per problem: cost [N, T, Q], row [N, 1] -> [N, Q]."""
    problems, _, columns = cost.shape
    index = ops.broadcast_to(row.expand_dims(2), (problems, 1, columns))  # [N, 1, Q]
    return ops.gather_d(cost, 1, index).squeeze(1)  # [N, Q]


def _first_true(mask: Tensor) -> Tensor:
    """Index of the first true entry, 0 without any: [N, X] bool -> [N, 1] int32."""
    return ops.argmax(mask.astype(ms.float32), 1, True).astype(ms.int32)


def _initial_assignment(cost: Tensor, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give each row its cheapest column unless an earlier row has it.

    Args:
        cost: [N, T, Q].
        used: [N, T] bool, rows in use.

    Returns:
        ``column_of`` [N, T], ``row_of`` [N, Q], ``row_price`` [N, T].
    """
    _, count, columns = cost.shape
    order = ops.arange(count).astype(ms.int32).expand_dims(0)  # [1, T]
    best = ops.argmax(-cost, 2, False).astype(ms.int32)  # [N, T]
    every_column = ops.arange(columns).astype(ms.int32)
    wants = ops.logical_and(best.expand_dims(2) == every_column, used.expand_dims(2))  # [N, T, Q]
    claims = ops.select(wants, order.expand_dims(2), ops.full_like(best, count).expand_dims(2))
    winner = claims.min(axis=1)  # [N, Q]
    row_of = ops.select(winner < count, winner, ops.full_like(winner, -1))
    holder = ops.gather_d(row_of, 1, best)  # [N, T]
    got = ops.logical_and(holder == order, used)
    return ops.select(got, best, ops.full_like(best, -1)), row_of, cost.min(axis=2)


def _start(column_of: Tensor, row_of: Tensor, prices: tuple[Tensor, Tensor], used: Tensor) -> State:
    """Begin the search for each problem's first row without a column."""
    far = ops.full_like(prices[1], _FAR)
    row = _first_true(_pending(column_of, used))
    return (
        column_of,
        row_of,
        prices[0],
        prices[1],
        ops.zeros_like(column_of).astype(ms.bool_),
        ops.zeros_like(row_of).astype(ms.bool_),
        far,
        ops.full_like(row_of, -1),
        row,
        ops.zeros_like(row).astype(ms.float32),
        ops.full_like(row, -1),
    )


def _pending(column_of: Tensor, used: Tensor) -> Tensor:
    """Rows in use without a column: [N, T] bool."""
    return ops.logical_and(column_of < 0, used)


def _nearest(distance: Tensor, settled: Tensor, row_of: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest unsettled column, a free one where several are equally near: index, distance."""
    open_distance = ops.select(settled, ops.full_like(distance, 2.0 * _FAR), distance)
    low = open_distance.min(axis=1, keepdims=True)  # [N, 1]
    near = (open_distance == low).astype(ms.float32)
    return ops.argmax(near * (1.0 + (row_of < 0)), 1, True).astype(ms.int32), low


def _search(state: State, cost: Tensor, searching: Tensor) -> tuple[State, Tensor]:
    """Settle one more column in the problems that search; also return who found a free one."""
    column_of, row_of, row_price, column_price, reached, settled = state[:6]
    distance, parent, row, level, back = state[6:]
    reduced = level + _row_costs(cost, row) - _pick(row_price, row) - column_price  # [N, Q]
    nearer = ops.logical_and(reduced < distance, ops.logical_and(searching, ~settled))
    distance = ops.select(nearer, reduced, distance)
    parent = ops.select(nearer, ops.broadcast_to(row, parent.shape), parent)
    rows_here = ops.arange(column_of.shape[1]).astype(ms.int32) == row  # [N, T]
    reached = ops.logical_or(reached, ops.logical_and(searching, rows_here))
    column, low = _nearest(distance, settled, row_of)
    columns_here = ops.arange(row_of.shape[1]).astype(ms.int32) == column  # [N, Q]
    settled = ops.logical_or(settled, ops.logical_and(searching, columns_here))
    owner = _pick(row_of, column)
    found = ops.logical_and(searching, owner < 0)
    row = ops.select(ops.logical_and(searching, owner >= 0), owner, row)
    level = ops.select(searching, low, level)
    back = ops.select(found, column, back)
    assigned = (column_of, row_of, row_price, column_price, reached, settled)
    return (*assigned, distance, parent, row, level, back), found


def _reprice(state: State, found: Tensor, current: Tensor) -> State:
    """Update the potentials of the problems whose search has ended; ``current`` [N, 1] began it."""
    column_of, row_of, row_price, column_price, reached, settled = state[:6]
    distance, level = state[6], state[9]
    own_distance = ops.gather_d(distance, 1, ops.relu(column_of))  # [N, T]
    is_current = ops.arange(column_of.shape[1]).astype(ms.int32) == current
    slack = level - ops.select(is_current, ops.zeros_like(own_distance), own_distance)
    raised = ops.logical_and(found, reached)
    row_price = ops.select(raised, row_price + slack, row_price)
    lowered = ops.logical_and(found, settled)
    column_price = ops.select(lowered, column_price - (level - distance), column_price)
    return (column_of, row_of, row_price, column_price, reached, settled, *state[6:])


def _walk_back(state: State, walking: Tensor, current: Tensor) -> tuple[State, Tensor]:
    """Re-assign one column along the path; also return who is back at its first row."""
    column_of, row_of, parent, back = state[0], state[1], state[7], state[10]
    row = _pick(parent, back)  # [N, 1]
    next_column = _pick(column_of, row)
    columns_here = ops.arange(row_of.shape[1]).astype(ms.int32) == back  # [N, Q]
    rows_here = ops.arange(column_of.shape[1]).astype(ms.int32) == row  # [N, T]
    taken = ops.logical_and(walking, columns_here)
    moved = ops.logical_and(walking, rows_here)
    row_of = ops.select(taken, ops.broadcast_to(row, row_of.shape), row_of)
    column_of = ops.select(moved, ops.broadcast_to(back, column_of.shape), column_of)
    done = ops.logical_and(walking, row == current)
    back = ops.select(walking, next_column, back)
    return (column_of, row_of, *state[2:10], back), done


def _restart(state: State, done: Tensor, used: Tensor) -> State:
    """Begin the next search in the problems that are done with one."""
    fresh = _start(state[0], state[1], (state[2], state[3]), used)
    restarted = state[:4]
    for part in range(4, 11):
        restarted += (ops.select(done, fresh[part], state[part]),)
    return restarted


def _step(state: State, cost: Tensor, used: Tensor) -> State:
    """Advance every problem that still has a row without a column."""
    pending = _pending(state[0], used)
    current = _first_true(pending)
    active = pending.any(axis=1, keep_dims=True)  # [N, 1]
    searching = ops.logical_and(active, state[10] < 0)
    walking = ops.logical_and(active, state[10] >= 0)
    state, found = _search(state, cost, searching)
    state = _reprice(state, found, current)
    state, done = _walk_back(state, walking, current)
    return _restart(state, done, used)


def assign_rows(cost: Tensor, used: Tensor) -> Tensor:
    """Column of each row at the lowest total cost.

    Args:
        cost: [N, T, Q] float32, finite and well below 1e18.
        used: [N, T] bool, rows in use, at most Q of each problem.

    Returns:
        [N, T] int32; -1 for rows out of use.
    """
    count = cost.shape[1]
    column_of, row_of, row_price = _initial_assignment(cost, used)
    state = _start(column_of, row_of, (row_price, ops.zeros_like(cost[:, 0])), used)
    step = Tensor(0, ms.int32)
    limit = count * (2 * count + 3)  # each row: at most T + 1 searches, then as many steps back
    while ops.logical_and(_pending(state[0], used).any(), step < limit):
        state = _step(state, cost, used)
        step = step + 1
    return state[0]
