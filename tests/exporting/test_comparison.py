"""Differences of detections are found whatever the order, and nothing missing goes unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.exporting.comparison import Comparison, compare, compare_all, compare_tokens
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.postprocess import Detections

SIDE = 100


def detections(count: int = 6) -> Detections:
    rng = np.random.default_rng(count)
    boxes = rng.uniform(0, SIDE, (count, 4)).astype(np.float32)
    scores = np.linspace(0.9, 0.4, count, dtype=np.float32)
    return Detections(boxes, scores, rng.integers(0, 2, count))


def test_equal_lists_have_no_difference() -> None:
    # the last of a list that may have been cut is not required to have a partner
    assert compare(detections(), detections(), SIDE, 1e-4) == Comparison(5, 5, 0.0, 0.0)


@given(st.permutations(range(5)))
def test_the_order_of_near_ties_does_not_matter(order: list[int]) -> None:
    tied = replace(detections(), scores=np.float32([0.9] * 5 + [0.4]))
    shuffled = tied._select(np.array([*order, 5]))
    assert compare(tied, shuffled, SIDE, 1e-4) == Comparison(5, 5, 0.0, 0.0)


def test_the_largest_differences_are_told() -> None:
    ours = detections()
    boxes, scores = ours.boxes.copy(), ours.scores.copy()
    boxes[2, 1] += 0.5
    scores[1] += 0.01
    result = compare(ours, Detections(boxes, scores, ours.labels), SIDE, 0.02)
    assert (result.compared, result.matched) == (5, 5)
    assert result.box == pytest.approx(0.005, rel=1e-4)
    assert result.score == pytest.approx(0.01, rel=1e-4)
    assert result.within(0.0101) and not result.within(0.0099)


@pytest.mark.parametrize("row", range(5))
def test_another_label_or_a_missing_one_is_seen(row: int) -> None:
    ours = detections()
    labels = ours.labels.copy()
    labels[row] = 7
    changed = compare(ours, replace(ours, labels=labels), SIDE, 1e-4)
    assert changed.matched < changed.compared and not changed.within(1.0)
    missing = ours._select(np.arange(6) != row)
    for pair in ((ours, missing), (missing, ours)):
        assert not compare(*pair, SIDE, 1e-4).within(1e-4)


def test_nothing_found_where_something_was_is_seen() -> None:
    nothing = detections()._select(np.zeros(6, bool))
    assert compare(detections(), nothing, SIDE, 1e-4) == Comparison(5, 0)
    assert compare(nothing, nothing, SIDE, 1e-4) == Comparison()


def test_pictures_add_up() -> None:
    total = compare_all([detections(3)] * 2, [detections(3)] * 2, [SIDE, SIDE], 1e-4)
    assert total == Comparison(4, 4)


def test_kept_tokens_are_counted_for_each_layer() -> None:
    def kept(*ranked: int) -> KeptTokens:
        return KeptTokens(np.array(ranked), np.array([4, 2]), ((2, 3),), (16, 24))

    one = kept(0, 1, 2, 3)
    counts = {"tokens": 6, "tied_tokens": 2}
    assert compare_tokens([one], [kept(1, 0, 3, 2)]) == Comparison(same_tokens=6, **counts)
    tied = compare_tokens([one, one], [kept(0, 2, 1, 5), None])  # one of each layer
    assert tied == Comparison(same_tokens=4, **counts)
    other = compare_tokens([one], [kept(0, 2, 4, 5)])
    assert other == Comparison(same_tokens=3, **counts)
    assert tied.within(1.0) and not other.within(1.0)


@pytest.mark.parametrize(("count", "allowed"), [(20, 1), (99, 1), (100, 1), (250, 2), (1000, 10)])
def test_of_each_list_a_hundredth_and_at_least_one_may_be_others(count: int, allowed: int) -> None:
    def kept(first: int) -> KeptTokens:
        ranked = np.arange(first, first + count)
        return KeptTokens(ranked, np.array([count]), ((40, 30),), (640, 480))

    assert compare_tokens([kept(0)], [kept(allowed)]).within(1.0)
    assert not compare_tokens([kept(0)], [kept(allowed + 1)]).within(1.0)
    # a good picture makes up for a bad one as far as its own ties go
    pictures = [kept(0)] * 2, [kept(0), kept(2 * allowed + 1)]
    assert not compare_tokens(*pictures).within(1.0)
