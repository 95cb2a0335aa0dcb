"""Attention among one set of tokens by the native library: its projections and itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mindspore import Tensor, ops

from focus_detr.ops.custom_primitive import build_primitive
from focus_detr.ops.products_custom import FLOAT32


@cache
def attention_inputs(library: Path, precision: int = FLOAT32) -> ops.Custom:
    """Source, position [B, N, C], weight [3C, C], bias [3C] -> query_key [B, N, 2C], value.

    Queries and keys are projected from source plus position, values [B, N, C] from the source.
    """
    inputs = ("source", "position", "weight", "bias")
    backward = build_primitive(
        library,
        "AttentionInputsGrad",
        (*inputs[:3], "grad_query_key", "grad_value"),
        tuple(f"grad_{name}" for name in inputs),
    )

    def bprop(
        source: Tensor,
        position: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: tuple[Tensor, Tensor],
        grad: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, ...]:
        """Gradients of the four inputs."""
        return backward(source, position, weight, grad[0], grad[1])

    return build_primitive(
        library, "AttentionInputs", inputs, ("query_key", "value"), bprop=bprop, precision=precision
    )


@cache
def attention(library: Path, heads: int) -> ops.Custom:
    """query_key [B, N, 2C], value [B, N, C], bias [B or 1, 1, N or 1, N] -> [B, N, C].

    The bias is added to the logits of every head and has no gradient.
    """
    inputs = ("query_key", "value", "bias")
    outputs = ("grad_query_key", "grad_value")
    backward = build_primitive(library, "AttentionGrad", (*inputs, "grad"), outputs, heads=heads)
    zeros = ops.ZerosLike()

    def bprop(
        query_key: Tensor, value: Tensor, bias: Tensor, target: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs, zero for the bias."""
        grad_query_key, grad_value = backward(query_key, value, bias, grad)
        return grad_query_key, grad_value, zeros(bias)

    return build_primitive(
        library, "AttentionForward", inputs, ("target",), bprop=bprop, heads=heads
    )
