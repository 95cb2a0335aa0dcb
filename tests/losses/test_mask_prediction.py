"""Targets from the decoder's attention map and the loss of the Sparse selector's scores."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load, packed_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Tensor, nn
from model_cases import pynative

from focus_detr.losses.mask_prediction import BinaryCrossEntropy, MaskPredictionLoss
from focus_detr.models.selection.token_ranking import TokenRanking, kept_count

CASE = "sparse_dam_a"


def _golden() -> tuple[dict, tuple[Tensor, Tensor, Tensor]]:
    """The case, and attention map, validity and kept tokens."""
    golden = load(CASE)
    valid = 1.0 - packed_mask(golden, "mask_flatten").astype(np.float32)
    kept = Tensor(golden["sparse_token_nums"].astype(np.int32))
    return golden, (Tensor(golden["dam"]), Tensor(valid), kept)


class FromRawScores(nn.Cell):
    """Padding filled as in the reference, then the loss."""

    def __init__(self, keep_ratio: float) -> None:
        super().__init__()
        self.ranking = TokenRanking(keep_ratio=keep_ratio, cascade=(1.0,))
        self.loss = MaskPredictionLoss(keep_ratio=keep_ratio)

    def construct(self, scores: Tensor, dam: Tensor, valid: Tensor, kept: Tensor) -> Tensor:
        return self.loss(self.ranking.mask_scores(scores, valid, False), dam, valid, kept)


def test_targets_equal_the_reference() -> None:
    golden, arguments = _golden()
    loss = MaskPredictionLoss(keep_ratio=0.3)
    found = ms.jit(loss.targets)(*arguments).asnumpy()
    np.testing.assert_array_equal(found, packed_mask(golden, "target"))


def test_loss_and_both_gradients_equal_the_reference() -> None:
    golden, arguments = _golden()
    step = ms.jit(ms.value_and_grad(FromRawScores(0.3)))
    loss, gradient = step(Tensor(golden["score_raw"]), *arguments)
    assert float(loss) == pytest.approx(float(golden["loss_mask_f64"]), rel=1e-6)
    check(golden, "grad_score_raw", gradient.asnumpy())
    with pynative():  # the other step has compiled it
        step = ms.value_and_grad(MaskPredictionLoss(keep_ratio=0.3))
        _, gradient = step(Tensor(golden["score_masked"]), *arguments)
    check(golden, "grad_score_masked", gradient.asnumpy())


def test_gradient_of_equal_lowest_scores_is_shared() -> None:
    scores = np.array([[0.5, -1.0, -1.0, 3.0]], np.float32)
    valid = np.array([[1, 1, 1, 0]], np.float32)
    dam, kept = np.array([[4.0, 0.0, 1.0, 9.0]], np.float32), np.array([1], np.int32)
    with pynative():
        step = ms.grad(FromRawScores(0.3))
        found = step(Tensor(scores), Tensor(dam), Tensor(valid), Tensor(kept)).asnumpy()
    low = 1.0 / (1.0 + np.exp(1.0)) / 4  # slope of one token at the lowest score
    high = (1.0 / (1.0 + np.exp(-0.5)) - 1.0) / 4
    np.testing.assert_allclose(found, [[high, 1.5 * low, 1.5 * low, 0.0]], rtol=1e-5)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), tokens=st.integers(2, 40), ratio=st.sampled_from([0.1, 0.5, 1]))
def test_targets_are_the_most_attended_tokens(seed: int, tokens: int, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    dam = rng.permutation(2 * tokens).reshape(2, tokens).astype(np.float32)
    counts = rng.integers(1, tokens + 1, 2)
    valid = (np.arange(tokens) < counts[:, None]).astype(np.float32)
    kept = np.array([kept_count(int(count), ratio) for count in counts], np.int32)
    loss = MaskPredictionLoss(keep_ratio=ratio)
    with pynative():
        found = loss.targets(Tensor(dam), Tensor(valid), Tensor(kept)).asnumpy()
    for image in range(2):
        order = sorted(range(counts[image]), key=lambda token: -dam[image, token])
        expected = np.zeros(tokens)
        expected[order[: kept[image]]] = 1
        np.testing.assert_array_equal(found[image], expected)


def test_cross_entropy_and_its_slope_are_finite_and_exact() -> None:
    logits = np.array([-1e4, -90.0, -2.5, 0.0, 0.75, 30.0, 1e4], np.float32)
    for target in (0.0, 1.0):
        targets = Tensor(np.full_like(logits, target))
        cell = BinaryCrossEntropy()
        found = cell(Tensor(logits), targets).asnumpy()
        exact = logits.astype(np.float64)
        np.testing.assert_allclose(
            found, np.logaddexp(0.0, exact) - target * exact, rtol=1e-5, atol=1e-6
        )
        slope = ms.grad(cell)(Tensor(logits), targets).asnumpy()  # of the sum
        step = 1e-6
        above, below = np.logaddexp(0.0, exact + step), np.logaddexp(0.0, exact - step)
        np.testing.assert_allclose(slope, (above - below) / (2 * step) - target, atol=2e-5)
