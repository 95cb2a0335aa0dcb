"""One-to-many matching: golden numbers, both rules in plain NumPy, edge cases."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from align_cases import ManyCase, best_pairs, counted_pairs, many_case
from golden_data import check
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import random_boxes, random_case
from mindspore import Tensor, nn

from focus_detr.losses.one_to_many import OneToManyMatcher

NO_EPSILON = 1e-12
CASES = ("plain", "shared", "ties", "rescue", "empty", "all_empty", "crowd")
MOST, THRESHOLD = 3, 0.4
SIZES = ((4, 9), (3, 1), (5, 2))  # padded boxes, queries


class _Inside(nn.Cell):
    """The matches and what leads to them."""

    def __init__(self, matcher: OneToManyMatcher) -> None:
        super().__init__()
        self.matcher = matcher

    def construct(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, wanted: Tensor, valid: Tensor
    ) -> tuple[Tensor, ...]:
        score = self.matcher.scores(logits, boxes, labels, wanted, valid)
        candidate, counts = self.matcher.candidates(score, valid)
        return score, candidate, counts, self.matcher(logits, boxes, labels, wanted, valid)


def _inside(**settings: Any) -> _Inside:
    return _Inside(OneToManyMatcher(**{"most": MOST, "threshold": THRESHOLD, **settings}))


RULES = {
    "released": _inside(),
    "capped": _inside(cap=4),
    "paper": _inside(rule="paper"),
}


def _seen(case: ManyCase) -> list[Tensor]:
    arrays = (case.logits, case.one_to_one_boxes, *case.targets)
    return [Tensor(array) for array in arrays]


def _queries(matches: np.ndarray, box: int, most: int) -> np.ndarray:
    """What one box of an image got: matches [T*k]."""
    found = matches.reshape(-1, most)[box]
    kept = found[found >= 0]
    assert (found[: len(kept)] == kept).all(), "the queries come first"
    assert len(set(kept.tolist())) == len(kept)
    return kept


@pytest.mark.parametrize("name", CASES)
def test_equals_golden(name: str) -> None:
    case = many_case(name)
    golden, most = case.golden, 6
    matcher = OneToManyMatcher(cap=75, iou_epsilon=NO_EPSILON)
    inside = _Inside(OneToManyMatcher(iou_epsilon=NO_EPSILON))(*_seen(case))
    score, candidate, counts, _ = (part.asnumpy()[0] for part in inside)
    matches = matcher(*_seen(case), Tensor(case.priority)).asnumpy()[0]
    for image, labels in enumerate(case.targets.labels):
        boxes = len(golden[f"tgt_labels{image}"])
        check(golden, f"score{image}", score[image, :boxes])
        assert (score[image, boxes:] == -1.0).all()
        if boxes:
            np.testing.assert_array_equal(candidate[image], golden[f"candidate{image}"])
            np.testing.assert_array_equal(counts[image], golden[f"positive{image}"])
        else:
            assert not counts[image].any()
        for box in range(len(labels)):
            expected = golden[f"src{image}"][golden[f"tgt{image}"] == box]
            ours = _queries(matches[image], box, most)
            assert set(ours.tolist()) == set(expected.tolist())


def test_class_share_zero_gives_the_golden_iou() -> None:
    case = many_case("plain")
    cell = _Inside(OneToManyMatcher(class_share=0.0, iou_epsilon=NO_EPSILON))
    score = cell(*_seen(case))[0].asnumpy()[0]
    for image in range(2):
        expected = case.golden[f"iou{image}"]
        np.testing.assert_allclose(score[image, : len(expected)], expected, atol=2e-6)


def _drawn(seed: int, size: tuple[int, int], levels: int, counts: tuple[int, int]) -> list[Tensor]:
    """Two heads and two images whose few different numbers make ties; boxes lie near targets."""
    targets, queries = size
    counts = (min(counts[0], targets), min(counts[1], targets))
    case = random_case(seed, 2, queries, 3, counts, targets)
    rng = np.random.default_rng(seed)
    some = random_boxes(rng, levels)
    boxes = some[rng.integers(0, levels, (2, 2, queries))]
    wanted = some[rng.integers(0, levels, (2, targets))]
    logits = rng.integers(-1, 2, case.logits.shape).astype(np.float32)
    arrays = (logits, boxes, case.labels, wanted, case.box_valid)
    return [Tensor(array) for array in arrays]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", SIZES, ids=str)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    levels=st.integers(1, 5),
    counts=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_equals_the_plain_version(
    rule: str, size: tuple[int, int], seed: int, levels: int, counts: tuple[int, int]
) -> None:
    tensors = _drawn(seed, size, levels, counts)
    score, candidate, counted, matches = (part.asnumpy() for part in RULES[rule](*tensors))
    real = tensors[4].asnumpy().sum(1).astype(int)
    for head, image in np.ndindex(2, 2):
        rows = score[head, image, : real[image]]
        if rule == "paper":
            pairs = best_pairs(rows, THRESHOLD, MOST)
        else:
            cap = 4 if rule == "capped" else None
            best, counts_here, pairs = counted_pairs(rows, THRESHOLD, MOST, cap)
            if rule == "released":  # a cap may leave any of equal ones
                np.testing.assert_array_equal(counted[head, image] > 0, counts_here)
            assert counted[head, image].sum() == counts_here.sum()
            np.testing.assert_array_equal(candidate[head, image], best)
        for box in range(size[0]):
            ours = _queries(matches[head, image], box, MOST)
            if box >= real[image]:
                assert len(ours) == 0
            elif rule != "capped":  # equal scores may come in any order
                np.testing.assert_array_equal(rows[box][ours], rows[box][pairs[box]])
            else:
                number = int((counted[head, image] * (candidate[head, image] == box)).sum())
                expected = np.sort(rows[box])[::-1][: min(number, MOST)]
                np.testing.assert_array_equal(rows[box][ours], expected)


def test_a_cap_keeps_the_highest_scores() -> None:
    case = many_case("crowd")
    cell = _Inside(OneToManyMatcher(cap=75, iou_epsilon=NO_EPSILON))
    score, _, counts, _ = (part.asnumpy()[0] for part in cell(*_seen(case)))
    for image in range(2):
        highest, positive = score[image].max(0), case.golden[f"positive{image}"] > 0
        kept = counts[image] > 0
        assert kept.sum() == 75 and positive[kept].all()
        assert highest[kept].min() >= highest[positive & ~kept].max()


def test_two_calls_give_the_same() -> None:
    case = many_case("ties")
    matcher = OneToManyMatcher()
    first, second = (matcher(*_seen(case)).asnumpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_broken_predictions_give_queries_that_exist(rule: str, bad: float) -> None:
    tensors = _drawn(0, SIZES[0], 4, (4, 2))
    logits, boxes = tensors[0].asnumpy().copy(), tensors[1].asnumpy().copy()
    logits[0], boxes[1, 0, :3] = bad, bad
    *_, matches = RULES[rule](Tensor(logits), Tensor(boxes), *tensors[2:])
    found = matches.asnumpy()
    assert found.shape == (2, 2, SIZES[0][0] * MOST)
    assert found.min() >= -1 and found.max() < SIZES[0][1]


def test_no_gradient_is_needed() -> None:
    """Its numbers are indices: what is computed from them alone has a gradient of zero."""
    tensors = _drawn(1, SIZES[0], 4, (4, 2))
    matcher = RULES["released"].matcher

    def total(logits: Tensor) -> Tensor:
        return (matcher(logits, *tensors[1:]) * logits.sum()).sum()

    matches = matcher(*tensors).asnumpy()
    gradient = ms.grad(total)(tensors[0]).asnumpy()
    np.testing.assert_allclose(gradient, float(matches.sum()))
