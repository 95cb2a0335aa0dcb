"""Matching cost in NumPy and the operator around scipy."""

from __future__ import annotations

import numpy as np
import pytest
from loss_cases import giou, random_boxes

from focus_detr.losses.host_assignment import (
    COST_LIMIT,
    assign,
    class_cost,
    matching_cost,
    pairwise_giou,
    pairwise_l1,
)


def test_class_cost_by_hand() -> None:
    """At probability one half: 0.25 * 0.25 * ln 2 - 0.75 * 0.25 * ln 2."""
    assert class_cost(np.zeros(1))[0] == pytest.approx(-0.125 * np.log(2.0), rel=1e-6)
    low, high = class_cost(np.array([-1e4, 1e4]))
    assert low == pytest.approx(0.25 * np.log(1e8)) and high == pytest.approx(-0.75 * np.log(1e8))


def test_pairs_equal_the_single_boxes() -> None:
    rng = np.random.default_rng(0)
    boxes, targets = random_boxes(rng, 5), random_boxes(rng, 3)
    overlaps, distances = pairwise_giou(boxes, targets), pairwise_l1(boxes, targets)
    for column, target in enumerate(targets):
        same = np.tile(target, (5, 1))
        np.testing.assert_allclose(overlaps[:, column], giou(boxes, same), atol=2e-6)
        np.testing.assert_allclose(distances[:, column], np.abs(boxes - same).sum(1), atol=1e-6)


def test_weights_are_class_box_giou() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(1, 4, 3)).astype(np.float32)
    boxes, targets = random_boxes(rng, 1, 4), random_boxes(rng, 2)
    labels = np.array([2, 0])
    parts = [class_cost(logits[..., labels]), pairwise_l1(boxes, targets)]
    parts.append(-pairwise_giou(boxes, targets))
    for which in range(3):
        weights = tuple(float(which == index) for index in range(3))
        cost = matching_cost(logits, boxes, labels, targets, weights)
        np.testing.assert_allclose(cost, parts[which], atol=1e-6)


def test_broken_predictions_cost_the_limit() -> None:
    boxes = np.full((1, 2, 4), np.nan, np.float32)
    cost = matching_cost(
        np.zeros((1, 2, 3)), boxes, np.zeros(1, int), boxes[0, :1] * 0 + 0.5, (2.0, 5.0, 2.0)
    )
    np.testing.assert_array_equal(cost, COST_LIMIT)


def test_assign_marks_targets_without_query() -> None:
    cost = np.array([[5.0, 1.0, 3.0], [2.0, 2.0, 9.0]])
    np.testing.assert_array_equal(assign(cost), [1, 0, -1])
    assert assign(np.zeros((4, 0))).shape == (0,)
