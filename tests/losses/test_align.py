"""IoU-aware classification: element loss, qualities, ranks and weights."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from align_cases import align_targets, given_matches, many_case, pairs_in_order
from golden_data import check
from hypothesis import given
from hypothesis import strategies as st
from mindspore import Tensor, nn

from focus_detr.losses.align import IouAwareCrossEntropy, PairQuality

NO_EPSILON = 1e-12
CASES = ("plain", "shared", "ties", "rescue", "empty")


def _plain(logits: np.ndarray, targets: np.ndarray, gamma: float = 2.0) -> np.ndarray:
    """The loss from its definition, in float64."""
    p = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    positive = -targets * np.log(p) - (1.0 - targets) * np.log(1.0 - p)
    return np.where(targets > 0, positive, -(p**gamma) * np.log(1.0 - p))


def _loss_and_gradient(
    logits: np.ndarray, targets: np.ndarray, gamma: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    loss = IouAwareCrossEntropy(gamma=gamma)
    x, y = Tensor(logits.astype(np.float32)), Tensor(targets.astype(np.float32))
    return loss(x, y).asnumpy(), ms.grad(loss)(x, y).asnumpy()


@pytest.mark.parametrize("gamma", [2.0, 1.5])
def test_loss_and_slope_equal_the_definition(gamma: float) -> None:
    logits = np.tile(np.linspace(-8.0, 8.0, 33), 4)  # 0, where automatic differentiation errs, too
    targets = np.repeat([0.0, 3e-4, 0.6, 1.0], 33).astype(np.float32).astype(np.float64)
    ours, gradient = _loss_and_gradient(logits, targets, gamma)
    np.testing.assert_allclose(ours, _plain(logits, targets, gamma), rtol=1e-5, atol=1e-6)
    rise = _plain(logits + 1e-5, targets, gamma) - _plain(logits - 1e-5, targets, gamma)
    np.testing.assert_allclose(gradient, rise / 2e-5, rtol=2e-5, atol=1e-6)


def test_saturated_logits_are_finite() -> None:
    logits = np.tile([-200.0, 200.0], 3)
    targets = np.repeat([0.0, 0.25, 1.0], 2)
    loss, gradient = _loss_and_gradient(logits, targets)
    np.testing.assert_allclose(loss, [0, 200, 50, 150, 200, 0], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(gradient, [0, 1, -0.25, 0.75, -1, 0], rtol=1e-6, atol=1e-30)


def test_targets_have_no_gradient() -> None:
    x, y = Tensor(np.array([0.3, -2.0], np.float32)), Tensor(np.array([0.0, 0.7], np.float32))
    assert not ms.grad(IouAwareCrossEntropy(), 1)(x, y).asnumpy().any()


class _Inside(nn.Cell):
    """Quality, weight and rank of each pair."""

    def __init__(self, quality: PairQuality) -> None:
        super().__init__()
        self.quality = quality

    def construct(self, logits: Tensor, boxes: Tensor, wanted: Tensor, use: Tensor) -> tuple:
        quality, weight = self.quality(logits, boxes, wanted, use)
        return quality, weight, self.quality.ranks(quality, use)


@pytest.mark.parametrize("name", CASES)
def test_equals_golden(name: str) -> None:
    case, most = many_case(name), 6
    golden, targets = case.golden, case.targets
    matches = given_matches(golden, "", targets, most)  # [B, T*k]
    labels, wanted = np.repeat(targets.labels, most, 1), np.repeat(targets.boxes, most, 1)
    image = np.arange(len(matches))[:, None]
    found = np.maximum(matches, 0)
    cell = _Inside(PairQuality(per_box=most, iou_epsilon=NO_EPSILON))
    parts = cell(
        Tensor(case.logits[0][image, found, labels][None]),
        Tensor(case.boxes[0][image, found][None]),
        Tensor(wanted),
        Tensor((matches >= 0).astype(np.float32)[None]),
    )
    quality, weight, rank = (part.asnumpy()[0] for part in parts)
    pairs = tuple(pairs_in_order(golden, "", len(matches), most).T)
    check(golden, "t", quality[pairs])
    check(golden, "w", weight[pairs])
    np.testing.assert_array_equal(rank[pairs], golden["rank"])


_SMALL = _Inside(PairQuality(per_box=4))


@given(seed=st.integers(0, 10**6), used=st.integers(0, 4))
def test_equals_the_plain_version(seed: int, used: int) -> None:
    """Some of the four pairs of three boxes count; equal ones are there."""
    rng = np.random.default_rng(seed)
    logits = rng.integers(-2, 3, (1, 1, 12)).astype(np.float32)
    width = rng.integers(1, 4, 12) * 0.25
    boxes = np.stack([np.full(12, 0.5), np.full(12, 0.5), width, np.ones(12)], 1)
    wanted = np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (1, 12, 1))
    use = (np.arange(12) % 4 < used).astype(np.float32)
    arrays = logits, boxes[None, None].astype(np.float32), wanted, use[None, None]
    quality, weight, _ = (part.asnumpy().ravel() for part in _SMALL(*map(Tensor, arrays)))
    score = 1.0 / (1.0 + np.exp(-logits.ravel()))
    groups = [list(range(4 * box, 4 * box + used)) for box in range(3)]
    expected, rank_weight = align_targets(score, width, groups, 1.5)
    np.testing.assert_allclose(quality, expected, rtol=1e-5)
    counted = use > 0
    np.testing.assert_allclose(weight[counted], rank_weight[counted], rtol=1e-5)


def test_zero_areas_and_high_ranks_stay_above_zero() -> None:
    cell = _Inside(PairQuality(per_box=6, tau=0.01, iou_epsilon=NO_EPSILON))
    point = np.tile(np.array([0.5, 0.5, 0.0, 0.0], np.float32), (1, 1, 6, 1))
    logits = np.array([[[-200.0, 200.0, 0.0, 1.0, 2.0, 3.0]]], np.float32)
    use = np.ones((1, 1, 6), np.float32)
    quality, weight, rank = (
        part.asnumpy() for part in cell(*map(Tensor, (logits, point, point[0], use)))
    )
    np.testing.assert_allclose(quality, 0.01)
    np.testing.assert_array_equal(rank.ravel(), np.arange(6))  # equal ones in their order
    assert weight.ravel()[0] == 1.0 and (weight > 0.0).all() and np.isfinite(weight).all()
