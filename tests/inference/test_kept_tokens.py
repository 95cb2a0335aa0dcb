"""Ranked token numbers become cells of the unpadded image."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.inference.kept_tokens import KeptTokens

SHAPES = ((8, 8), (4, 4), (2, 2), (1, 1))  # of a 64 x 64 bucket


def make_tokens(ranked: list[int], counts: list[int], size: tuple[int, int]) -> KeptTokens:
    return KeptTokens(np.array(ranked), np.array(counts), SHAPES, size)


def test_cells_of_each_level_and_layer() -> None:
    tokens = make_tokens([9, 64 + 5, 64 + 16 + 3, 84, 0], [5, 2], (64, 64))
    assert np.argwhere(tokens.kept_cells(0, 0)).tolist() == [[0, 0], [1, 1]]
    assert np.argwhere(tokens.kept_cells(0, 1)).tolist() == [[1, 1]]
    assert np.argwhere(tokens.kept_cells(0, 2)).tolist() == [[1, 1]]
    assert tokens.kept_cells(0, 3).tolist() == [[True]]
    assert [int(tokens.kept_cells(1, level).sum()) for level in range(4)] == [1, 1, 0, 0]


def test_padding_is_cut_away() -> None:
    tokens = make_tokens([0, 6, 63], [3], (64, 41))
    assert tokens.image_grid(0) == (8, 6)
    assert tokens.kept_cells(0, 0).shape == (8, 6)
    assert int(tokens.kept_cells(0, 0).sum()) == 1


@given(st.permutations(range(85)), st.integers(0, 85))
def test_every_kept_token_is_one_cell(order: list[int], count: int) -> None:
    tokens = make_tokens(order, [count], (64, 64))
    assert sum(int(tokens.kept_cells(0, level).sum()) for level in range(4)) == count
