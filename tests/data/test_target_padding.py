"""Padded targets."""

from __future__ import annotations

import numpy as np
import pytest

from focus_detr.data.target_padding import pad_targets, target_capacity


@pytest.mark.parametrize(
    ("counts", "capacity"),
    [([], 10), ([0], 10), ([3, 10], 10), ([11, 1], 30), ([30], 30), ([31], 30)],
)
def test_capacity(counts: list[int], capacity: int) -> None:
    assert target_capacity(counts, (30, 10)) == capacity


def test_boxes_are_relative_and_padding_is_a_whole_image() -> None:
    boxes = np.array([[0, 0, 20, 10], [10, 5, 20, 10]], np.float32)
    padded = pad_targets(boxes, np.array([2, 1]), (10, 40), 3)
    expected = [[0.25, 0.5, 0.5, 1], [0.375, 0.75, 0.25, 0.5], [0.5, 0.5, 1, 1]]
    np.testing.assert_allclose(padded.boxes, expected)
    np.testing.assert_array_equal(padded.labels, [2, 1, 0])
    np.testing.assert_array_equal(padded.valid, [1, 1, 0])
    assert padded.dropped == 0
    assert (padded.boxes.dtype, padded.labels.dtype) == (np.float32, np.int32)


def test_no_boxes() -> None:
    padded = pad_targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), (10, 10), 2)
    np.testing.assert_array_equal(padded.boxes, [[0.5, 0.5, 1, 1]] * 2)
    np.testing.assert_array_equal(padded.valid, [0, 0])


def test_of_too_many_boxes_the_largest_stay_in_order() -> None:
    widths = np.array([3, 1, 5, 2, 4], np.float32)
    boxes = np.stack([0 * widths, 0 * widths, widths, 0 * widths + 10], axis=1)
    padded = pad_targets(boxes, np.arange(5), (10, 10), 3)
    np.testing.assert_array_equal(padded.labels, [0, 2, 4])
    np.testing.assert_allclose(padded.boxes[:, 2], [0.3, 0.5, 0.4], rtol=1e-6)
    assert padded.dropped == 2
