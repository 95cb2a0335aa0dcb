"""Draws of the denoising noise."""

from __future__ import annotations

import numpy as np

from focus_detr.data.noise import draw_noise


def _generators(seed: int) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, image)) for image in range(2)]


def test_shapes_types_and_ranges() -> None:
    draws = draw_noise(_generators(0), 600, 5)
    assert draws.uniform.shape == draws.new_label.shape == (2, 600)
    assert draws.sign.shape == draws.part.shape == (2, 600, 4)
    assert draws.new_label.dtype == np.int32
    assert {draws.uniform.dtype, draws.sign.dtype, draws.part.dtype} == {np.dtype(np.float32)}
    for values in (draws.uniform, draws.part):
        assert values.min() >= 0.0 and values.max() < 1.0
        assert abs(values.mean() - 0.5) < 0.05
    assert set(draws.new_label.reshape(-1).tolist()) == set(range(5))
    assert set(draws.sign.reshape(-1).tolist()) == {-1.0, 1.0}


def test_same_generator_state_same_draws() -> None:
    first, second = (draw_noise(_generators(7), 10, 80) for _ in range(2))
    other = draw_noise(_generators(8), 10, 80)
    for name in ("uniform", "new_label", "sign", "part"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_no_slots() -> None:
    assert draw_noise(_generators(0), 0, 80).sign.shape == (2, 0, 4)
