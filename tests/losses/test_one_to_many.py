"""One-to-many matching: golden numbers, both rules in plain NumPy, edge cases."""

from __future__ import annotations

from contextlib import nullcontext

import mindspore as ms
import numpy as np
import pytest
from align_cases import GRAPH_TARGETS, ManyCase, best_pairs, counted_pairs, many_case
from golden_data import check
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import random_boxes, random_case
from mindspore import Tensor, nn
from model_cases import pynative

from focus_detr.losses.one_to_many import OneToManyMatcher

NO_EPSILON = 1e-12
CASES = ("plain", "shared", "ties", "rescue", "empty", "all_empty", "crowd")
MOST, THRESHOLD = 3, 0.4
SIZES = ((4, 9), (3, 1), (5, 2))  # padded boxes, queries
RULES = ("released", "capped", "paper")


class _Golden(nn.Cell):
    """Scores, candidates, who counts without a cap and with it, and capped matches."""

    def __init__(self) -> None:
        super().__init__()
        self.free = OneToManyMatcher(iou_epsilon=NO_EPSILON)
        self.capped = OneToManyMatcher(cap=75, iou_epsilon=NO_EPSILON)

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        wanted: Tensor,
        valid: Tensor,
        priority: Tensor,
    ) -> tuple[Tensor, ...]:
        score = self.free.scores(logits, boxes, labels, wanted, valid)
        candidate, counts = self.free.candidates(score, valid)
        _, kept = self.capped.candidates(score, valid)
        matches = self.capped(logits, boxes, labels, wanted, valid, priority)
        return score, candidate, counts, kept, matches


class _EveryRule(nn.Cell):
    """Scores; candidates and who counts, free and capped; the matches of each rule."""

    def __init__(self) -> None:
        super().__init__()
        self.released = OneToManyMatcher(most=MOST, threshold=THRESHOLD)
        self.capped = OneToManyMatcher(most=MOST, threshold=THRESHOLD, cap=4)
        self.paper = OneToManyMatcher(most=MOST, threshold=THRESHOLD, rule="paper")

    def construct(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, wanted: Tensor, valid: Tensor
    ) -> tuple[Tensor, ...]:
        score = self.released.scores(logits, boxes, labels, wanted, valid)
        matches = ()
        for matcher in (self.released, self.capped, self.paper):
            matches += (matcher(logits, boxes, labels, wanted, valid),)
        free = self.released.candidates(score, valid)
        return score, *free, *self.capped.candidates(score, valid), *matches


golden_cell, every_rule = _Golden(), _EveryRule()  # one each: equal shapes share a graph


def _seen(case: ManyCase) -> list[Tensor]:
    arrays = (case.logits, case.one_to_one_boxes, *case.targets)
    return [Tensor(array) for array in arrays]


def _inside(name: str) -> tuple[ManyCase, list[np.ndarray]]:
    """A golden case and what ``_Golden`` makes of it, without the axis of heads.

    In a graph where several cases have one shape, else operation by operation.
    """
    case = many_case(name, GRAPH_TARGETS.get(name))
    with nullcontext() if name in GRAPH_TARGETS else pynative():
        found = golden_cell(*_seen(case), Tensor(case.priority))
        return case, [part.asnumpy()[0] for part in found]


def _queries(matches: np.ndarray, box: int, most: int) -> np.ndarray:
    """What one box of an image got: matches [T*k]."""
    found = matches.reshape(-1, most)[box]
    kept = found[found >= 0]
    assert (found[: len(kept)] == kept).all(), "the queries come first"
    assert len(set(kept.tolist())) == len(kept)
    return kept


@pytest.mark.parametrize("name", CASES)
def test_equals_golden(name: str) -> None:
    case, (score, candidate, counts, _, matches) = _inside(name)
    golden, most = case.golden, 6
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
    matcher = OneToManyMatcher(class_share=0.0, iou_epsilon=NO_EPSILON)
    score = matcher.scores(*_seen(case)).asnumpy()[0]
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


@pytest.mark.parametrize("size", SIZES, ids=str)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    levels=st.integers(1, 5),
    counts=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_equals_the_plain_version(
    size: tuple[int, int], seed: int, levels: int, counts: tuple[int, int]
) -> None:
    tensors = _drawn(seed, size, levels, counts)
    found = (part.asnumpy() for part in every_rule(*tensors))
    score, candidate, free, same, capped, *matches = found
    np.testing.assert_array_equal(candidate, same)
    counted = {"released": free, "capped": capped}
    real = tensors[4].asnumpy().sum(1).astype(int)
    for rule, of_rule in zip(RULES, matches, strict=True):
        for place in np.ndindex(2, 2):
            count = real[place[1]]
            ours = [_queries(of_rule[place], box, MOST) for box in range(size[0])]
            assert not any(map(len, ours[count:])), "padding"
            rows = score[place][:count]
            if rule == "paper":
                _check_best(rows, ours, best_pairs(rows, THRESHOLD, MOST))
            else:
                _check_counted(rule, rows, ours, candidate[place], counted[rule][place])


def _check_best(rows: np.ndarray, ours: list[np.ndarray], pairs: list[np.ndarray]) -> None:
    """Equal scores may come in any order."""
    for row, queries, expected in zip(rows, ours, pairs, strict=False):
        np.testing.assert_array_equal(row[queries], row[expected])


def _check_counted(
    rule: str,
    rows: np.ndarray,
    ours: list[np.ndarray],
    candidate: np.ndarray,
    counted: np.ndarray,
) -> None:
    """The released rule for one image of one head; a cap may leave any of equal ones."""
    cap = 4 if rule == "capped" else None
    best, counts, pairs = counted_pairs(rows, THRESHOLD, MOST, cap)
    assert counted.sum() == counts.sum()
    np.testing.assert_array_equal(candidate, best)
    if rule == "released":
        np.testing.assert_array_equal(counted > 0, counts)
        return _check_best(rows, ours, pairs)
    for box, row in enumerate(rows):
        number = int((counted * (candidate == box)).sum())
        np.testing.assert_array_equal(row[ours[box]], np.sort(row)[::-1][: min(number, MOST)])


def test_a_cap_keeps_the_highest_scores() -> None:
    case, (score, _, _, counts, _) = _inside("crowd")
    for image in range(2):
        highest, positive = score[image].max(0), case.golden[f"positive{image}"] > 0
        kept = counts[image] > 0
        assert kept.sum() == 75 and positive[kept].all()
        assert highest[kept].min() >= highest[positive & ~kept].max()


@pytest.mark.parametrize("name", ["ties", "shared"])
def test_two_calls_give_the_same(name: str) -> None:
    first, second = (_inside(name)[1][-1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_broken_predictions_give_queries_that_exist(bad: float) -> None:
    tensors = _drawn(0, SIZES[0], 4, (4, 2))
    logits, boxes = tensors[0].asnumpy().copy(), tensors[1].asnumpy().copy()
    logits[0], boxes[1, 0, :3] = bad, bad
    *_, released, capped, paper = every_rule(Tensor(logits), Tensor(boxes), *tensors[2:])
    for matches in (released, capped, paper):
        found = matches.asnumpy()
        assert found.shape == (2, 2, SIZES[0][0] * MOST)
        assert found.min() >= -1 and found.max() < SIZES[0][1]


def test_no_gradient_is_needed() -> None:
    """Its numbers are indices: what is computed from them alone has a gradient of zero."""
    tensors = _drawn(1, SIZES[0], 4, (4, 2))
    matcher = every_rule.released

    def total(logits: Tensor) -> tuple[Tensor, Tensor]:
        matches = matcher(logits, *tensors[1:])
        return (matches * logits.sum()).sum(), matches

    (_, matches), gradient = ms.value_and_grad(total, has_aux=True)(tensors[0])
    matches, gradient = matches.asnumpy(), gradient.asnumpy()
    assert matches.any()
    np.testing.assert_allclose(gradient, float(matches.sum()))
