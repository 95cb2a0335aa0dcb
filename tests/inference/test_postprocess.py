"""Mapping boxes to the file."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focus_detr.inference.postprocess import to_detections


def test_maps_clips_drops_and_sorts() -> None:
    boxes = np.float32(
        [[0.1, 0.2, 0.3, 0.4], [-0.5, 0.5, 0.5, 2], [0, 0, 1, 1], [0.5, 0.2, 0.5, 0.9]]
    )
    found = to_detections(
        np.float32([0.2, 0.9, -1, 0.5]), np.array([1, 2, 3, 4]), boxes, (100, 200)
    )
    np.testing.assert_allclose(found.boxes, [[0, 50, 100, 100], [20, 20, 60, 40]], rtol=1e-6)
    assert found.labels.tolist() == [2, 1]
    assert found.above(0.5).labels.tolist() == [2]


@given(
    boxes=arrays(np.float32, (6, 4), elements=st.floats(-2, 3, width=32)),
    scores=arrays(np.float32, 6, elements=st.floats(-1, 1, width=32)),
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
)
def test_whatever_remains_lies_inside_with_area(
    boxes: np.ndarray, scores: np.ndarray, height: int, width: int
) -> None:
    found = to_detections(scores, np.arange(6), boxes, (height, width))
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (found.boxes <= [width, height, width, height]).all()
    assert (found.scores >= 0).all()
    assert (np.diff(found.scores) <= 0).all()
