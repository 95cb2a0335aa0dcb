"""Mapping boxes to the file."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, load
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from focus_detr.inference.postprocess import Detections, Suppression, to_detections


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


def _row(count: int) -> Detections:
    """Boxes of 10 pixels, each 2 pixels right of the one before, best first, of one class."""
    left = 2.0 * np.arange(count)
    boxes = np.stack([left, np.zeros(count), left + 10, np.full(count, 10.0)], axis=1)
    scores = np.linspace(0.9, 0.1, count)
    return Detections(np.float32(boxes), np.float32(scores), np.zeros(count, int))


def test_of_overlapping_detections_the_best_stays() -> None:
    found = _row(4)  # neighbours overlap by 8 / 12, the next ones by 6 / 14
    assert found.without_overlaps(0.5).boxes[:, 0].tolist() == [0, 4]
    assert found.without_overlaps(0.7).boxes[:, 0].tolist() == [0, 2, 4, 6]


def test_detections_of_other_classes_do_not_count_as_duplicates() -> None:
    found = _row(2)
    others = Detections(found.boxes, found.scores, np.array([0, 1]))
    assert len(others.without_overlaps(0.5).scores) == 2


def test_nothing_found_stays_nothing() -> None:
    assert len(_row(0).without_overlaps(0.5).scores) == 0


def test_overlaps_stay_unless_a_limit_is_set() -> None:
    found = _row(2)
    rows = (found.scores, found.labels, found.boxes / 20, (20, 20))
    assert len(to_detections(*rows).scores) == 2
    assert len(to_detections(*rows, Suppression(0.5)).scores) == 1


def test_what_stays_is_counted_after_the_overlaps_are_gone() -> None:
    found = _row(6)  # of which 0, 4 and 8 stay
    rows = (found.scores, found.labels, found.boxes / 20, (20, 20))
    assert to_detections(*rows, Suppression(0.5, most=2)).boxes[:, 0].tolist() == [0, 4]
    assert to_detections(*rows, Suppression(None, most=2)).boxes[:, 0].tolist() == [0, 2]


@pytest.mark.parametrize("case", ["infer_r50_b2", "infer_r50_q100", "infer_r50_alpha_q100"])
def test_final_detections_equal_golden(case: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    for image, ((height, width), size) in enumerate(
        zip(meta["sizes"], meta["out_sizes"], strict=True)
    ):
        boxes = golden[f"pre_boxes{image}"] / np.float32([width, height, width, height])
        scores, labels = golden[f"pre_scores{image}"], golden[f"pre_labels{image}"]
        found = to_detections(scores, labels, boxes, tuple(size))
        check(golden, f"final_boxes{image}", found.boxes)
        np.testing.assert_array_equal(found.scores, golden[f"final_scores{image}"])
        np.testing.assert_array_equal(found.labels, golden[f"final_labels{image}"])
