"""What devices are compared on stays away from kinks, where rounding would decide."""

from __future__ import annotations

import numpy as np
import pytest
from msda_twin import places

from focus_detr.device_check.attention import HEADS, QUERIES, SHAPES, problem


@pytest.mark.parametrize("kind", list(QUERIES))
def test_no_sample_is_near_a_kink(kind: str) -> None:
    value, references, projected, weights = problem(kind, QUERIES[kind])
    assert value.shape[1] == sum(rows * columns for rows, columns in SHAPES)
    assert references.shape == (1, QUERIES[kind], len(SHAPES), 2 if kind == "points" else 4)
    assert weights.shape == (1, QUERIES[kind], value.shape[2] * value.shape[3])
    locations, shares = places(HEADS, SHAPES, references, projected)
    np.testing.assert_allclose(shares.sum((3, 4)), 1.0)
    sizes = np.array(SHAPES)[:, None, ::-1]
    pixels = locations * sizes - 0.5
    assert np.abs(pixels - np.rint(pixels)).min() > 0.04
    inside = ((locations > 0) & (locations < 1)).all(-1)
    assert 0.4 < inside.mean() < 0.99  # some fall outside the map
