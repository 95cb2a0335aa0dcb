"""The differentiable operators of ``custom_ops/products`` that Swin's blocks are made of.

As in ``products_custom``, the cells that use them have plain twins.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mindspore import Tensor, ops

from focus_detr.ops.custom_primitive import build_primitive
from focus_detr.ops.products_custom import ACTIVATIONS


@cache
def gelu(library: Path) -> ops.Custom:
    """Any shape to the same: x times the normal distribution function."""
    through = build_primitive(
        library,
        "ActivationGrad",
        ("grad", "kept"),
        ("grad_source",),
        activation=ACTIVATIONS["gelu"],
    )

    def bprop(source: Tensor, target: Tensor, grad: Tensor) -> tuple[Tensor]:
        """Gradient of the argument."""
        return (through(grad, source),)

    return build_primitive(library, "GeluForward", ("source",), ("target",), bprop=bprop)


@cache
def scaled_sum(library: Path) -> ops.Custom:
    """Residual [B, ...] + factor [B] * branch [B, ...]; the factor has no gradient."""
    backward = build_primitive(library, "ScaledSumGrad", ("grad", "factor"), ("grad_branch",))
    zeros = ops.ZerosLike()

    def bprop(
        residual: Tensor, branch: Tensor, factor: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs, zero for the factor."""
        return grad, backward(grad, factor), zeros(factor)

    inputs = ("residual", "branch", "factor")
    return build_primitive(library, "ScaledSumForward", inputs, ("target",), bprop=bprop)


@cache
def perceptron_branch(library: Path, epsilon: float) -> ops.Custom:
    """A residual and, times a factor for each image, the perceptron of its norm.

    source [B, ..., C], gamma [C], beta [C], first [H, C], its bias [H], second [C, H], its bias
    [C], factor [B] -> [B, ..., C] and GELU's argument [B, ..., H], which is for the gradient only.
    The factor has no gradient; an image whose factor is 0 costs no product.
    """
    weights = ("gamma", "beta", "first", "first_bias", "second", "second_bias")
    backward = build_primitive(
        library,
        "PerceptronBranchGrad",
        ("source", "gamma", "beta", "first", "second", "factor", "argument", "grad"),
        ("grad_source", *(f"grad_{weight}" for weight in weights)),
        epsilon=epsilon,
    )
    zeros = ops.ZerosLike()

    def bprop(
        source: Tensor,
        gamma: Tensor,
        beta: Tensor,
        first: Tensor,
        first_bias: Tensor,
        second: Tensor,
        second_bias: Tensor,
        factor: Tensor,
        targets: tuple[Tensor, Tensor],
        grads: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, ...]:
        """Gradients of the eight inputs, zero for the factor."""
        gradients = backward(source, gamma, beta, first, second, factor, targets[1], grads[0])
        return gradients + (zeros(factor),)  # noqa: RUF005 (no star in graphs)

    return build_primitive(
        library,
        "PerceptronBranchForward",
        ("source", *weights, "factor"),
        ("target", "argument"),
        bprop=bprop,
        epsilon=epsilon,
    )


@cache
def window_attention(library: Path, window: int, shift: int) -> ops.Custom:
    """Attention inside windows of w x w cells, moved by ``shift`` cells.

    qkv [B, h, w, 3C], outside [3C], table [(2w-1)^2, M], extents [B, 2] -> [B, h, w, C]; what they
    are stands at ``WindowAttention``. The extents have no gradient.
    """
    inputs = ("qkv", "outside", "table", "extents")
    backward = build_primitive(
        library,
        "WindowAttentionGrad",
        (*inputs, "grad"),
        ("grad_qkv", "grad_outside", "grad_table"),
        window=window,
        shift=shift,
    )
    zeros = ops.ZerosLike()

    def bprop(
        qkv: Tensor, outside: Tensor, table: Tensor, extents: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the four inputs, zero for the extents."""
        grad_qkv, grad_outside, grad_table = backward(qkv, outside, table, extents, grad)
        return grad_qkv, grad_outside, grad_table, zeros(extents)

    return build_primitive(
        library,
        "WindowAttentionForward",
        inputs,
        ("target",),
        bprop=bprop,
        window=window,
        shift=shift,
    )
