"""The token picture lights the kept cells and only them."""

from __future__ import annotations

import numpy as np
import pytest

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.token_overlay import (
    PANEL_SIDE,
    cell_map,
    draw_token_overlay,
    share_told,
)

SHAPES = ((8, 8), (4, 4), (2, 2), (1, 1))


def overlay(ranked: list[int], counts: list[int], image: np.ndarray) -> np.ndarray:
    tokens = KeptTokens(np.array(ranked, int), np.array(counts), SHAPES, (64, 64))
    return draw_token_overlay(image, tokens, "picture.png")


def panels(drawn: np.ndarray, rows: int) -> list[list[np.ndarray]]:
    """The panels, found by their distance from the right and lower borders."""
    gap, caption, margin = 14, 24, 28
    height, width = drawn.shape[:2]
    step = PANEL_SIDE + gap
    lefts = [width - margin - PANEL_SIDE - step * (4 - column) for column in range(5)]
    down = step + caption
    tops = [height - margin - caption - PANEL_SIDE - down * (rows - 1 - row) for row in range(rows)]
    return [
        [drawn[top : top + PANEL_SIDE, left : left + PANEL_SIDE] for left in lefts] for top in tops
    ]


def bright_share(panel: np.ndarray) -> float:
    return float((panel.max(axis=2) > 100).mean())


def test_brightness_counts_the_cells() -> None:
    image = np.full((120, 120, 3), 200, np.uint8)
    ranked = [0, 1, 2, 3, 64, 80, 81, 84]
    grid = panels(overlay(ranked, [8, 4], image), rows=2)
    expected = [[4 / 64, 1 / 16, 2 / 4, 1], [4 / 64, 0, 0, 0]]
    for row, shares in zip(grid, expected, strict=True):
        for panel, share in zip(row, shares, strict=False):
            assert bright_share(panel) == pytest.approx(share, abs=0.01)
    assert bright_share(grid[0][4]) == pytest.approx(1.0)  # the coarsest level covers all
    assert bright_share(grid[1][4]) == pytest.approx(4 / 64, abs=0.01)


def test_lit_cell_lies_at_its_place() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    panel = panels(overlay([8 * 2 + 5], [1], image), rows=1)[0][0]  # row 2, column 5 of 8
    rows, columns = np.nonzero(panel.max(axis=2) > 100)
    side = PANEL_SIDE / 8
    assert (rows.min(), rows.max() + 1) == pytest.approx((2 * side, 3 * side), abs=1)
    assert (columns.min(), columns.max() + 1) == pytest.approx((5 * side, 6 * side), abs=1)


def test_cells_beyond_the_picture_are_cut() -> None:
    cells = np.arange(6).reshape(2, 3)
    spread = cell_map(cells, 8, (12, 20), (120, 200))
    values, counts = np.unique(spread, return_counts=True)
    assert values.tolist() == [0, 1, 2, 3, 4, 5]
    assert counts.tolist() == [6400, 6400, 3200, 3200, 3200, 1600]


@pytest.mark.parametrize("size", [(30, 30), (30, 900), (900, 30), (400, 1300)])
def test_any_shape_can_be_drawn(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    drawn = overlay([0, 64], [2, 1, 0], image)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] > 3 * 8
    assert drawn.min() < 60


@pytest.mark.parametrize(
    ("kept", "total", "text"),
    [(0, 400, "0%"), (1, 400, "<1%"), (30, 100, "30%"), (399, 400, ">99%"), (400, 400, "100%")],
)
def test_a_share_is_nothing_or_all_only_if_it_is(kept: int, total: int, text: str) -> None:
    assert share_told(kept, total) == text
