"""The foreground selector's resizing, its mean over a level, and what its variants change."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Tensor, ops
from model_cases import scatter_weights, small_config

from focus_detr.config.schema import ForegroundSelectorConfig
from focus_detr.models.factory import build_foreground_selector
from focus_detr.models.grid import Grid
from focus_detr.models.selection.foreground_selector import ForegroundSelector, ScoreMLP
from focus_detr.models.selection.resizing import full_matrices, resize_matrices


def _align_corners(values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of a vector with its ends kept, the plain way."""
    if size == 1:
        return values[:1]
    return np.interp(np.linspace(0, len(values) - 1, size), np.arange(len(values)), values)


@settings(max_examples=25)
@given(source=st.integers(1, 9), target=st.integers(1, 17), seed=st.integers(0, 99))
def test_resizing_keeps_corners(source: int, target: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=source).astype(np.float32)
    rows, columns = full_matrices(1, ((target, 3), (source, 2)), (1, 0))
    expected = _align_corners(values, target)
    np.testing.assert_allclose(rows.asnumpy()[0] @ values, expected, atol=1e-5)
    assert columns.shape == (1, 3, 2)


def _extents(*levels: tuple[int, int]) -> Tensor:
    """[1, L, 2] of (columns, rows) pairs."""
    return Tensor(np.array([levels], np.float32))


def test_matrices_of_images_that_fill_their_grid_are_constants() -> None:
    shapes, order = ((9, 13), (5, 7), (3, 4), (2, 2)), (3, 2, 1, 0)
    extents = _extents(*(shape[::-1] for shape in shapes))
    pairs = zip(
        resize_matrices(extents, shapes, order), full_matrices(1, shapes, order), strict=True
    )
    for found, constant in pairs:
        np.testing.assert_allclose(found.asnumpy(), constant.asnumpy(), atol=1e-6)


def test_padded_cells_do_not_move_the_corners() -> None:
    extents = _extents((1, 5), (1, 3))
    matrix = resize_matrices(extents, ((8, 1), (4, 1)), (1, 0))[0].asnumpy()[0]
    expected = _align_corners(np.array([2.0, 5.0, -1.0]), 5)
    np.testing.assert_allclose(matrix[:5] @ np.array([2, 5, -1, 1e3]), expected, atol=1e-5)


@pytest.mark.parametrize(("after_norm", "moves"), [(False, False), (True, True)])
def test_the_norm_cancels_a_positive_factor_unless_it_comes_after(
    after_norm: bool, moves: bool
) -> None:
    mlp = ScoreMLP(16, modulate_after_norm=after_norm)
    rng = np.random.default_rng(0)
    features = Tensor(rng.normal(size=(1, 6, 16)).astype(np.float32))
    factor = Tensor(rng.uniform(0.5, 2.0, (1, 6, 1)).astype(np.float32))
    counted = Tensor(np.ones((1, 6), np.float32))
    plain, modulated = mlp(features, None, counted, 6.0), mlp(features, factor, counted, 6.0)
    difference = np.abs(plain.asnumpy() - modulated.asnumpy()).max()
    assert (difference > 1e-3) == moves


def test_tokens_that_do_not_count_leave_the_scores_of_the_others() -> None:
    mlp = ScoreMLP(16)
    features = np.random.default_rng(1).normal(size=(1, 6, 16)).astype(np.float32)
    counted = np.array([[1, 1, 1, 1, 0, 0]], np.float32)
    usual = mlp(
        Tensor(features), None, Tensor(counted), Tensor(np.full((1, 1, 1), 4.0, np.float32))
    ).asnumpy()
    features[:, 4:] = 7.0
    changed = mlp(
        Tensor(features), None, Tensor(counted), Tensor(np.full((1, 1, 1), 4.0, np.float32))
    ).asnumpy()
    np.testing.assert_allclose(changed[:, :4], usual[:, :4], atol=1e-6)


def _full(batch: int, shapes: tuple[tuple[int, int], ...]) -> Grid:
    """What a selector reads of the grid of images that fill it."""
    tokens = sum(rows * columns for rows, columns in shapes)
    extents = np.array([[shape[::-1] for shape in shapes]] * batch, np.float32)
    return {"extents": Tensor(extents), "valid": ops.ones((batch, tokens))}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("grids", [((4, 4), (2, 2), (1, 1)), ((4, 1), (2, 1)), ((2, 5), (1, 3))])
def test_levels_of_one_row_column_or_token_give_gradients(
    batch: int, grids: tuple[tuple[int, int], ...]
) -> None:
    selector = ForegroundSelector(ScoreMLP(16, modulate_after_norm=True), levels=len(grids))
    rng = np.random.default_rng(0)
    tokens = sum(h * w for h, w in grids)
    features = Tensor(rng.normal(size=(batch, tokens, 16)).astype(np.float32))
    grid, weights = _full(batch, grids), Tensor(np.arange(1, tokens + 1).astype(np.float32))

    def weighted(features: Tensor) -> Tensor:
        return (selector(features, grid, grids, True) * weights).sum()

    gradient = ms.jit(ops.grad(weighted))(features).asnumpy()
    assert gradient.shape == features.shape and np.isfinite(gradient).all()
    start = 0
    for rows, columns in grids:
        assert gradient[:, start : start + rows * columns].any()
        start += rows * columns


GRIDS = ((8, 6), (4, 3), (2, 2), (1, 1))


def _scores(modulation: str) -> list[np.ndarray]:
    """Scores of four levels, fine to coarse, with the same weights and features every time."""
    settings = ForegroundSelectorConfig(modulation=modulation, modulation_place="after_norm")
    config = small_config(foreground_selector=settings)
    selector = build_foreground_selector(config)
    scatter_weights(selector)
    rng = np.random.default_rng(0)
    tokens = sum(h * w for h, w in GRIDS)
    features = Tensor(rng.normal(size=(1, tokens, config.width)).astype(np.float32))
    grid = _full(1, GRIDS)

    def scores(features: Tensor) -> tuple[Tensor, ...]:
        return selector.modulated(features, grid, GRIDS, True)[0]

    return [score.asnumpy() for score in ms.jit(scores)(features)]


def test_modulation_changes_every_level_but_the_first_of_its_direction() -> None:
    plain, down, up = (_scores(modulation) for modulation in ("none", "top_down", "bottom_up"))

    def moved(scores: list[np.ndarray], others: list[np.ndarray]) -> list[bool]:
        return [np.abs(a - b).max() > 1e-4 for a, b in zip(scores, others, strict=True)]

    assert moved(down, plain) == [True, True, True, False]
    assert moved(up, plain) == [False, True, True, True]
    assert moved(down, up) == [True, True, True, True]
