"""Arithmetic on boxes in logit space."""

from __future__ import annotations

from mindspore import Tensor, ops

EPSILON = 1e-3


def inverse_sigmoid(x: Tensor) -> Tensor:
    """Logit of x clamped to 0..1, both sides of the fraction at least 1e-3: any shape."""
    x = ops.clamp(x, 0.0, 1.0)
    return ops.log(ops.clamp(x, EPSILON, 1.0) / ops.clamp(1.0 - x, EPSILON, 1.0))
