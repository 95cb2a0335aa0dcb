"""Matched pairs and their losses: the gathering decoder's golden numbers, shared queries."""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
import numpy as np
import pytest
from align_cases import GRAPH_TARGETS, many_case
from golden_data import check
from golden_steps import check_number
from loss_cases import Case, random_case
from loss_cases import set_losses as plain_losses
from mindspore import Tensor, nn, ops
from model_cases import pynative

from focus_detr.losses.align import IouAwareCrossEntropy, PairQuality
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.one_to_many import OneToManyMatcher
from focus_detr.losses.pairs import widened
from focus_detr.losses.set_losses import SetLosses

NO_EPSILON = 1e-12
MOST = 6


class _Given(nn.Cell):
    """A matcher that knows the result."""

    def __init__(self, matches: np.ndarray) -> None:
        super().__init__()
        self.matches = Tensor(matches)

    def construct(self, *arguments: Tensor) -> Tensor:
        return self.matches


def _align_losses(matcher: nn.Cell) -> MatchedLosses:
    quality = PairQuality(per_box=MOST, iou_epsilon=NO_EPSILON)
    pairs = SetLosses(
        element_loss=IouAwareCrossEntropy(),
        quality=quality,
        per_box=MOST,
        shared_queries=True,
        giou_epsilon=NO_EPSILON,
    )
    return MatchedLosses(matcher, pairs)


class _Golden(nn.Cell):
    """Total of the one-to-many losses, with its parts; the count of boxes divides it."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = _align_losses(OneToManyMatcher(cap=75, iou_epsilon=NO_EPSILON))

    def construct(
        self,
        logits: Tensor,
        own: Tensor,
        one_to_one: Tensor,
        labels: Tensor,
        boxes: Tensor,
        valid: Tensor,
        priority: Tensor,
        count: Tensor,
    ) -> tuple[Tensor, ...]:
        targets = {"labels": labels, "boxes": boxes, "valid": valid, "image_sizes": labels}
        fixed = ops.stop_gradient(logits), ops.stop_gradient(one_to_one)
        matches = self.losses.matcher(*fixed, labels, boxes, valid, priority)
        matches = ops.stop_gradient(matches)
        distance, classes, missing = self.losses.compare(logits, own, matches, labels, targets)
        total = (classes + 5.0 * distance + 2.0 * missing).sum() / count
        return total, distance, classes, missing


def _golden_step() -> Callable:
    """The mode is that of the time at which it is made."""
    return ms.value_and_grad(_Golden(), (0, 1), has_aux=True)


@pytest.fixture(scope="module")
def in_graph() -> Callable:
    """Compiled once for the cases of equal shapes."""
    return _golden_step()


@pytest.mark.parametrize(
    "name", ["plain", "shared", "ties", "rescue", "empty", "all_empty", "crowd"]
)
def test_losses_and_gradients_equal_golden(in_graph: Callable, name: str) -> None:
    case = many_case(name, GRAPH_TARGETS.get(name))
    golden, count = case.golden, 3.0 * float(case.golden["num_boxes"])
    arrays = (case.logits, case.boxes, case.one_to_one_boxes, *case.targets, case.priority)
    tensors = [*map(Tensor, arrays), Tensor(count, ms.float32)]
    if name in GRAPH_TARGETS:
        (_, *parts), gradients = in_graph(*tensors)
    else:
        with pynative():
            (_, *parts), gradients = _golden_step()(*tensors)
    for ours, kind in zip(parts, ("bbox", "class", "giou"), strict=True):
        expected = float(golden[f"loss_{kind}"])
        check_number(kind, float(ours[0]) / count, expected, expected, floor=3e-6)
    by_logits, by_boxes = (gradient.asnumpy()[0] for gradient in gradients)
    check(golden, "grad_boxes", by_boxes, floor=4e-6)
    if "grad_logits" in golden:
        check(golden, "grad_logits", by_logits, floor=4e-6)
    else:
        check(golden, "grad_logits", by_logits)


def _focal_case() -> tuple[Case, np.ndarray, dict]:
    """One head and image; queries 4 and 7 belong to two boxes, 4 to two of one class."""
    case = random_case(3, 1, 10, 3, (3,), 4)
    case.labels[0, :3] = (1, 1, 2)
    matches = np.array([[[4, 7, 4, -1, 7, 2, -1, -1]]], np.int32)
    names = ("labels", "boxes", "valid", "image_sizes")
    arrays = (case.labels, case.target_boxes, case.box_valid, case.labels)
    return case, matches, dict(zip(names, map(Tensor, arrays), strict=True))


def test_focal_targets_are_one_and_every_pair_has_box_losses() -> None:
    case, matches, targets = _focal_case()
    cell = MatchedLosses(_Given(matches), SetLosses(per_box=2, shared_queries=True))
    losses, _ = cell(Tensor(case.logits), Tensor(case.boxes), targets["labels"], targets)
    queries, boxes = np.array([4, 7, 4, 7, 2]), np.array([0, 0, 1, 2, 2])
    real = case.labels[0, boxes], case.target_boxes[0, boxes]
    expected = plain_losses(case.logits[0, 0], case.boxes[0, 0], queries, *real)
    for ours, value in zip(losses, expected, strict=True):
        assert float(ours[0]) == pytest.approx(value, rel=1e-5)


def test_saturated_logits_and_boxes_without_area_are_finite(in_graph: Callable) -> None:
    case = many_case("shared", GRAPH_TARGETS["shared"])
    no_area = np.array([1.0, 1.0, 0.0, 0.0], np.float32)
    logits = np.sign(case.logits) * np.float32(200.0)
    targets = case.targets._replace(boxes=case.targets.boxes * no_area)
    arrays = (logits, case.boxes * no_area, case.one_to_one_boxes, *targets, case.priority)
    (value, distance, *_), gradients = in_graph(*map(Tensor, arrays), Tensor(1.0, ms.float32))
    assert np.isfinite(float(value)) and float(value) > 0.0
    assert float(distance[0]) > 0.0, "there are pairs"
    assert all(np.isfinite(gradient.asnumpy()).all() for gradient in gradients)


class _Widened(nn.Cell):
    def construct(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return widened(first, second, 2)


def test_matches_of_several_widths_are_put_together() -> None:
    one, two = np.array([[[5, 6]]], np.int32), np.array([[[1, 2, 3, -1]]], np.int32)
    first, second = (part.asnumpy() for part in _Widened()(Tensor(one), Tensor(two)))
    np.testing.assert_array_equal(first, [[[5, -1, 6, -1]]])
    np.testing.assert_array_equal(second, two)
