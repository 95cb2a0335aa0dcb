"""The derivative that all operators for deformable sampling share."""

from __future__ import annotations

from collections.abc import Callable

from mindspore import Tensor, ops


def backpropagation(backward: Callable[..., tuple[Tensor, ...]]) -> Callable:
    """The operator's derivative by ``backward``, which has the output's gradient as sixth input."""
    zeros, cast = ops.ZerosLike(), ops.Cast()

    def bprop(
        value: Tensor,
        shapes: Tensor,
        starts: Tensor,
        places: Tensor,
        weights: Tensor,
        output: Tensor,
        grad_output: Tensor,
    ) -> tuple[Tensor, ...]:
        """Gradients of the five inputs: shaped as they are, zero for shapes and starts."""
        grad_value, grad_places, grad_weights = backward(
            value, shapes, starts, places, weights, grad_output
        )
        return (
            cast(grad_value, value.dtype),
            zeros(shapes),
            zeros(starts),
            grad_places,
            grad_weights,
        )

    return bprop
