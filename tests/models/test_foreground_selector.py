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
from focus_detr.models.foreground_selector import ForegroundSelector, ScoreMLP, resize_matrix


def _align_corners(values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of a vector with its ends kept, the plain way."""
    if size == 1:
        return values[:1]
    return np.interp(np.linspace(0, len(values) - 1, size), np.arange(len(values)), values)


@settings(max_examples=25)
@given(source=st.integers(1, 9), target=st.integers(1, 17), seed=st.integers(0, 99))
def test_resizing_keeps_corners(source: int, target: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=source).astype(np.float32)
    ones = (np.ones((1, source), np.float32), np.ones((1, target), np.float32))
    matrix = resize_matrix(*(Tensor(one) for one in ones)).asnumpy()[0]
    np.testing.assert_allclose(matrix @ values, _align_corners(values, target), atol=1e-5)


def test_padded_cells_do_not_move_the_corners() -> None:
    source = np.array([[1, 1, 1, 0]], np.float32)
    target = np.array([[1, 1, 1, 1, 1, 0, 0, 0]], np.float32)
    matrix = resize_matrix(Tensor(source), Tensor(target)).asnumpy()[0]
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
    plain, modulated = mlp(features, None, counted), mlp(features, factor, counted)
    difference = np.abs(plain.asnumpy() - modulated.asnumpy()).max()
    assert (difference > 1e-3) == moves


def test_tokens_that_do_not_count_leave_the_scores_of_the_others() -> None:
    mlp = ScoreMLP(16)
    features = np.random.default_rng(1).normal(size=(1, 6, 16)).astype(np.float32)
    counted = np.array([[1, 1, 1, 1, 0, 0]], np.float32)
    usual = mlp(Tensor(features), None, Tensor(counted)).asnumpy()
    features[:, 4:] = 7.0
    changed = mlp(Tensor(features), None, Tensor(counted)).asnumpy()
    np.testing.assert_allclose(changed[:, :4], usual[:, :4], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("grids", [((4, 4), (2, 2), (1, 1)), ((4, 1), (2, 1)), ((2, 5), (1, 3))])
def test_levels_of_one_row_column_or_token_give_gradients(
    batch: int, grids: tuple[tuple[int, int], ...]
) -> None:
    selector = ForegroundSelector(ScoreMLP(16, modulate_after_norm=True), levels=len(grids))
    rng = np.random.default_rng(0)
    features = tuple(
        Tensor(rng.normal(size=(batch, h * w, 16)).astype(np.float32)) for h, w in grids
    )
    validity = tuple(tuple(ops.ones((batch, side)) for side in grid) for grid in grids)
    counted = tuple(ops.ones((batch, h * w)) for h, w in grids)

    def weighted(*levels: Tensor) -> Tensor:
        scores = selector(levels, validity, counted)
        return sum((score * (i + 1.0)).sum() for i, score in enumerate(scores))

    places = tuple(range(len(grids)))
    gradients = ms.jit(ops.grad(weighted, grad_position=places))(*features)
    for feature, gradient in zip(features, gradients, strict=True):
        assert gradient.shape == feature.shape
        assert np.isfinite(gradient.asnumpy()).all() and gradient.asnumpy().any()


GRIDS = ((8, 6), (4, 3), (2, 2), (1, 1))


def _scores(modulation: str) -> list[np.ndarray]:
    """Scores of four levels, fine to coarse, with the same weights and features every time."""
    settings = ForegroundSelectorConfig(modulation=modulation, modulation_place="after_norm")
    config = small_config(foreground_selector=settings)
    selector = build_foreground_selector(config)
    scatter_weights(selector)
    rng = np.random.default_rng(0)
    features = tuple(
        Tensor(rng.normal(size=(1, h * w, config.width)).astype(np.float32)) for h, w in GRIDS
    )
    validity = tuple(tuple(ops.ones((1, side)) for side in grid) for grid in GRIDS)
    counted = tuple(ops.ones((1, h * w)) for h, w in GRIDS)

    def scores(*levels: Tensor) -> tuple[Tensor, ...]:
        return selector(levels, validity, counted)

    return [score.asnumpy() for score in ms.jit(scores)(*features)]


def test_modulation_changes_every_level_but_the_first_of_its_direction() -> None:
    plain, down, up = (_scores(modulation) for modulation in ("none", "top_down", "bottom_up"))

    def moved(scores: list[np.ndarray], others: list[np.ndarray]) -> list[bool]:
        return [np.abs(a - b).max() > 1e-4 for a, b in zip(scores, others, strict=True)]

    assert moved(down, plain) == [True, True, True, False]
    assert moved(up, plain) == [False, True, True, True]
    assert moved(down, up) == [True, True, True, True]
