"""Both matchers against scipy, the golden assignments and bad predictions."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from golden_data import load
from golden_draws import golden_targets
from loss_cases import Case, random_case
from mindspore import Tensor, nn
from model_cases import pynative
from scipy.optimize import linear_sum_assignment

from focus_detr.losses.host_assignment import matching_cost
from focus_detr.losses.matcher import GraphMatcher, HostMatcher, build_matcher

HEADS = ("aux0", "aux1", "aux2", "aux3", "aux4", "last", "enc")
KINDS = ("host", "graph")
QUERIES, CLASSES, TARGETS = 100, 80, 30  # of the golden heads, so that one graph does them all


@pytest.fixture(scope="module", params=KINDS)
def matcher(request: pytest.FixtureRequest) -> nn.Cell:
    """One cell of each kind; equal shapes reuse its compiled graph."""
    return build_matcher(request.param, "CPU")


def _match(matcher: nn.Cell, case: Case) -> np.ndarray:
    return matcher(*(Tensor(part) for part in case)).asnumpy()


def _random_case(seed: int, counts: tuple[int, int]) -> Case:
    """Of the shapes of the golden heads."""
    return random_case(seed, len(HEADS), QUERIES, CLASSES, counts, TARGETS)


def _golden_case() -> tuple[dict, Case]:
    golden = load("match_loss")
    targets = np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (2, 6, 1))
    labels, valid = np.zeros((2, 6), np.int32), np.zeros((2, 6), np.float32)
    for image in range(2):
        count = len(golden[f"tgt_labels{image}"])
        targets[image, :count] = golden[f"tgt_boxes{image}"]
        labels[image, :count] = golden[f"tgt_labels{image}"]
        valid[image, :count] = 1.0
    return golden, Case(golden["logits"][None], golden["boxes"][None], labels, targets, valid)


def _costs(case: Case, image: int) -> np.ndarray:
    """[H, Q, n] float64 for the real boxes of one image."""
    count = int(case.box_valid[image].sum())
    real = case.labels[image, :count], case.target_boxes[image, :count]
    cost = matching_cost(case.logits[:, image], case.boxes[:, image], *real, (2.0, 5.0, 2.0))
    return cost.astype(np.float64)


def _check_optimal(case: Case, matched: np.ndarray) -> None:
    queries = case.logits.shape[2]
    for image, valid in enumerate(case.box_valid):
        count = int(valid.sum())
        assert (matched[:, image, count:] == 0).all()
        for cost, ours in zip(_costs(case, image), matched[:, image, :count], strict=True):
            used = np.flatnonzero(ours >= 0)
            assert len(used) == len(set(ours[used].tolist())) == min(count, queries)
            best = cost[linear_sum_assignment(cost)].sum()
            assert cost[ours[used], used].sum() - best <= 1e-6 * max(1.0, abs(best))


def test_cost_equals_golden() -> None:
    golden, case = _golden_case()
    ours = np.concatenate([_costs(case, image)[0] for image in range(2)], 1)  # [Q, 8]
    pairs = golden["pair_cost"].reshape(2, 60, 8)
    expected = np.concatenate([pairs[0, :, :5], pairs[1, :, 5:]], 1)
    np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_assignment_equals_golden(matcher: nn.Cell) -> None:
    golden, case = _golden_case()
    with pynative():  # a shape of its own
        matched = _match(matcher, case)
    for image in range(2):
        expected = golden[f"src{image}"]
        np.testing.assert_array_equal(matched[0, image, golden[f"tgt{image}"]], expected)


@pytest.mark.parametrize("name", ["train_r50_q100", "train_r50_empty1_q100"])
def test_assignments_of_all_heads_equal_golden(matcher: nn.Cell, name: str) -> None:
    golden = load(name)
    keys = (*(f"aux{layer}_{{}}" for layer in range(5)), "pred_{}", "enc_out_{}")
    logits, boxes = (
        np.stack([golden[key.format(part)] for key in keys]) for part in ("logits", "boxes")
    )
    targets = golden_targets(golden, padded=TARGETS)
    case = Case(logits, boxes, targets.labels, targets.boxes, targets.box_valid)
    matched = _match(matcher, case)
    for head, key in enumerate(HEADS):
        for image in range(2):
            pairs = f"match/{key}/src{image}", f"match/{key}/tgt{image}"
            np.testing.assert_array_equal(matched[head, image, golden[pairs[1]]], golden[pairs[0]])


@pytest.mark.parametrize("seed", range(8))
def test_random_predictions(matcher: nn.Cell, seed: int) -> None:
    case = _random_case(seed, counts=(TARGETS, seed))
    _check_optimal(case, _match(matcher, case))


def test_equal_predictions_and_duplicate_targets(matcher: nn.Cell) -> None:
    case = _random_case(1, counts=(TARGETS, 9))
    case.logits[:] = -1.0
    case.boxes[:] = 0.4
    case.target_boxes[:, 1:4] = case.target_boxes[:, :1]
    _check_optimal(case, _match(matcher, case))


def test_more_targets_than_queries_and_no_gradient_flows(matcher: nn.Cell) -> None:
    case = random_case(2, heads=2, queries=6, classes=5, counts=(11, 6, 3), padded=11)
    logits, boxes, *rest = (Tensor(part) for part in case)

    def total(scores: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        matches = matcher(scores, places, *rest)
        return (matches * places.sum()).sum() + scores.sum(), matches

    step = ms.value_and_grad(total, (0, 1), has_aux=True)
    (_, matches), (by_scores, _) = step(logits, boxes)
    matched = matches.asnumpy()
    _check_optimal(case, matched)
    assert ((matched[:, 0] == -1).sum(1) == 5).all()
    assert (matched[:, 1:] >= 0).all()
    np.testing.assert_array_equal(by_scores.asnumpy(), 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_broken_predictions_still_give_distinct_queries(matcher: nn.Cell, bad: float) -> None:
    case = _random_case(3, counts=(TARGETS, 4))
    case.logits[0] = bad
    case.boxes[1, 0, : QUERIES // 2] = bad
    matched = _match(matcher, case)
    for image, count in enumerate((TARGETS, 4)):
        for head in matched[:, image, :count]:
            assert len(set(head.tolist())) == count and head.min() >= 0 and head.max() < QUERIES


REPEATS = (3, 1)


@pytest.fixture(scope="module", params=KINDS)
def repeating(request: pytest.FixtureRequest) -> nn.Cell:
    """One cell of each kind that matches thrice in the first head and once in the second."""
    return build_matcher(request.param, "CPU", repeats=REPEATS)


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [((5, 4, 0), (2, 3, 0)), ((12, 13, 1), (1, 1, 3)), ((6, 7, 2), (2, 1, 3))],
)
def test_each_target_is_matched_as_often_as_queries_suffice(
    repeating: nn.Cell, counts: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    """12 queries; ``wanted`` is what fits into them, at most three."""
    case = random_case(5, heads=2, queries=12, classes=5, counts=counts, padded=13)
    matched = _match(repeating, case).reshape(2, 3, 13, 3)
    for image, count in enumerate(counts):
        assert not matched[:, image, count:].any()
        for head, cost in enumerate(_costs(case, image)):
            fits = min(REPEATS[head], wanted[image])
            ours = matched[head, image, :count]
            used, rest = ours[:, :fits], ours[:, fits:]
            assert (rest == -1).all() and (used >= 0).sum() == min(used.size, 12)
            queries, targets = used[used >= 0], np.nonzero(used >= 0)[0]
            assert len(set(queries.tolist())) == len(queries)
            tiled = np.repeat(cost, fits, 1)  # [Q, n*fits]
            best = tiled[linear_sum_assignment(tiled)].sum()
            assert cost[queries, targets].sum() - best <= 1e-6 * max(1.0, abs(best))


def test_one_number_of_repeats_is_for_all_heads() -> None:
    case = random_case(6, heads=2, queries=12, classes=5, counts=(3, 1), padded=3)
    whole, each = (_match(build_matcher("host", "CPU", repeats=r), case) for r in ((2,), (2, 2)))
    np.testing.assert_array_equal(whole, each)
    assert (whole.reshape(2, 2, 3, 2)[:, 0] >= 0).all()


def test_choice_by_device() -> None:
    assert isinstance(build_matcher("auto", "CPU"), HostMatcher)
    assert isinstance(build_matcher("auto", "Ascend"), GraphMatcher)
    assert isinstance(build_matcher("host", "GPU"), HostMatcher)
    assert build_matcher("graph", "CPU", class_cost=3.0).class_cost == 3.0
