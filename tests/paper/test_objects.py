"""Statistics of object tokens, by hand and from golden numbers."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import load
from paper_cases import golden_seen, seen_tokens

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.paper.objects import count_objects, mean_objects, score_map

SHAPES = ((2, 3), (1, 2))
TOKENS = KeptTokens(np.arange(8), np.array([8, 4]), SHAPES, (16, 24))


def test_shares_by_hand() -> None:
    boxes = np.float32([[0, 0, 12, 8]])  # token 0 alone
    objects = [np.array([0, 1, 6]), np.array([0, 7, 6])]
    counts = count_objects(seen_tokens(TOKENS, objects=objects, boxes=boxes))
    first, second = counts.layers
    assert first.by_level == pytest.approx((2 / 3, 1 / 3))
    assert second.by_level == pytest.approx((1 / 3, 2 / 3))
    assert (first.overlap, second.overlap) == (None, pytest.approx(2 / 3))
    assert first.inside == second.inside == pytest.approx(1 / 3)
    assert (first.pool, second.pool) == (8, 4)
    assert counts.covered == pytest.approx(1 / 8)


def test_golden_overlap_is_that_of_the_lists() -> None:
    golden = load("infer_r50_alpha_q100")
    counts = count_objects(golden_seen(golden))
    lists = [set(golden[f"enc{layer}_topk_sa_global"][0].tolist()) for layer in range(6)]
    for layer in range(1, 6):
        expected = len(lists[layer] & lists[layer - 1]) / 300
        assert counts.layers[layer].overlap == pytest.approx(expected)
    assert [layer.objects for layer in counts.layers] == [300] * 6
    assert all(layer.inside is None for layer in counts.layers)


def test_means_leave_out_what_is_unknown() -> None:
    objects = [np.array([0, 1]), np.array([0, 1])]
    with_boxes = count_objects(
        seen_tokens(TOKENS, objects=objects, boxes=np.float32([[0, 0, 12, 8]]))
    )
    without = count_objects(seen_tokens(TOKENS, objects=objects))
    first, second = mean_objects([with_boxes, without])
    assert first.inside == pytest.approx(0.5)
    assert (first.overlap, second.overlap) == (None, 1.0)


def test_the_map_has_the_highest_level_s_probability() -> None:
    scores = np.full(8, -50.0)
    scores[4], scores[7] = 0.0, 2.0  # row 1, column 1 of the fine level; right half of the coarse
    drawn = score_map(TOKENS, scores, (16, 24))
    assert drawn[12, 12] == pytest.approx(0.5)
    assert drawn[4, 20] == pytest.approx(1 / (1 + np.exp(-2)))
    assert drawn[4, 4] == pytest.approx(0, abs=1e-9)
