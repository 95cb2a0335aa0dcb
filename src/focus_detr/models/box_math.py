"""Arithmetic on boxes in logit space.

MindSpore's CPU kernels for exp, log and sigmoid are approximations (relative error up to 1e-5, 100
times float32's own). Six layers of box refinement add such errors up, so the few numbers of a box
go through exact forms; everything larger uses the quick ones.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.ops import boxes_custom
from focus_detr.ops.products_choice import native_products

EPSILON = 1e-3
LOWEST_LOGIT = -60.0  # keeps the exponential and its square within float32


def box_sigmoid(x: Tensor) -> Tensor:
    """Sigmoid exact to float32 rounding: any shape."""
    return 1.0 / (2.0 + ops.expm1(-ops.clamp(x, LOWEST_LOGIT)))


def box_log(x: Tensor) -> Tensor:
    """Natural logarithm of values in 1e-5..1e5, exact to float32 rounding: any shape.

    One Newton step on the quick logarithm y: y + (x exp(-y) - 1). Its gradient is 1 / x.
    """
    quick = ops.log(x)
    growth = ops.expm1(ops.abs(quick)) + 1.0  # exp(|y|); exp of a negative number would lose digits
    inverse = ops.select(quick > 0, 1.0 / growth, growth)  # exp(-y)
    return quick + ops.stop_gradient(x * inverse - 1.0)


def inverse_sigmoid(x: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Logit of x clamped to 0..1, both sides of the fraction at least epsilon: any shape."""
    x = ops.clamp(x, 0.0, 1.0)
    return box_log(ops.clamp(x, epsilon, 1.0) / ops.clamp(1.0 - x, epsilon, 1.0))


class BoxSigmoid(nn.Cell):
    """``box_sigmoid`` as one operator where native products compute."""

    def __init__(self) -> None:
        super().__init__()
        library = native_products()
        self.sigmoid = box_sigmoid if library is None else boxes_custom.box_sigmoid(library)

    def construct(self, x: Tensor) -> Tensor:
        """Any shape."""
        return self.sigmoid(x)


class InverseSigmoid(nn.Cell):
    """``inverse_sigmoid`` as one operator where native products compute."""

    def __init__(self, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        library = native_products()
        self.logit = self._plain
        if library is not None:
            self.logit = boxes_custom.inverse_sigmoid(library, epsilon)

    def construct(self, x: Tensor) -> Tensor:
        """Any shape."""
        return self.logit(x)

    def _plain(self, x: Tensor) -> Tensor:
        return inverse_sigmoid(x, self.epsilon)
