"""Sigmoid focal loss."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from loss_cases import focal
from mindspore import Tensor

from focus_detr.losses.focal import SigmoidFocalLoss


def _loss_and_gradient(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    loss = SigmoidFocalLoss()
    x, t = Tensor(logits.astype(np.float32)), Tensor(targets.astype(np.float32))
    return loss(x, t).asnumpy(), ms.grad(loss)(x, t).asnumpy()


def test_equals_the_definition() -> None:
    logits = np.linspace(-12.0, 12.0, 97)
    for target in (0.0, 1.0):
        targets = np.full_like(logits, target)
        ours, _ = _loss_and_gradient(logits, targets)
        np.testing.assert_allclose(ours, focal(logits, targets), rtol=3e-6, atol=2e-8)


def test_gradient_equals_finite_differences() -> None:
    logits = np.linspace(-8.0, 8.0, 33)  # 0, where automatic differentiation errs, among them
    for target in (0.0, 1.0):
        targets = np.full_like(logits, target)
        _, ours = _loss_and_gradient(logits, targets)
        slope = (focal(logits + 1e-5, targets) - focal(logits - 1e-5, targets)) / 2e-5
        np.testing.assert_allclose(ours, slope, rtol=1e-5, atol=5e-8)


def test_saturated_logits_are_finite() -> None:
    logits = np.array([-1e4, -90.0, 90.0, 1e4, -1e4, -90.0, 90.0, 1e4])
    targets = np.repeat([0.0, 1.0], 4)
    loss, gradient = _loss_and_gradient(logits, targets)
    wrong = np.array([0, 0, 0.75 * 90, 0.75 * 1e4, 0.25 * 1e4, 0.25 * 90, 0, 0])
    np.testing.assert_allclose(loss, wrong, rtol=1e-6, atol=1e-30)
    slope = [0, 0, 0.75, 0.75, -0.25, -0.25, 0, 0]
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-30)
