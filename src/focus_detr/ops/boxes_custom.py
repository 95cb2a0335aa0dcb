"""Arithmetic on boxes by the native library."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mindspore import Tensor, ops

from focus_detr.ops.custom_primitive import build_primitive


@cache
def box_sigmoid(library: Path) -> ops.Custom:
    """Sigmoid of any shape."""
    backward = build_primitive(library, "BoxSigmoidGrad", ("grad", "target"), ("grad_source",))

    def bprop(source: Tensor, target: Tensor, grad: Tensor) -> tuple[Tensor]:
        """Gradient of the argument."""
        return (backward(grad, target),)

    return build_primitive(library, "BoxSigmoid", ("source",), ("target",), bprop=bprop)


@cache
def inverse_sigmoid(library: Path, epsilon: float) -> ops.Custom:
    """Logit of any shape, both sides of the fraction at least epsilon."""
    backward = build_primitive(
        library, "InverseSigmoidGrad", ("grad", "source"), ("grad_source",), epsilon=epsilon
    )

    def bprop(source: Tensor, target: Tensor, grad: Tensor) -> tuple[Tensor]:
        """Gradient of the argument."""
        return (backward(grad, source),)

    return build_primitive(
        library, "InverseSigmoid", ("source",), ("target",), bprop=bprop, epsilon=epsilon
    )
