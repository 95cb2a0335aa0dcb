"""Deformable sampling by the native library of ``custom_ops/msda``, with its own gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.ops.custom_primitive import build_primitive
from focus_detr.ops.msda_gradient import backpropagation

SAMPLED = ("value", "shapes", "starts")
PLAIN_INPUTS = (*SAMPLED, "locations", "weights")
FUSED_INPUTS = (*SAMPLED, "references", "projected")


@constexpr
def level_tensors(shapes: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    """(rows, columns) [L, 2] and first token [L] of each level, int32; constants of the graph."""
    sizes = np.array(shapes, np.int32).reshape(-1, 2)
    starts = np.cumsum(np.concatenate(([0], sizes.prod(1)[:-1])))
    return Tensor(sizes), Tensor(starts.astype(np.int32))


def build_operator(library: Path, name: str, inputs: tuple[str, ...], device: str) -> ops.Custom:
    """A differentiable operator.

    Args:
        library: from ``find_library``.
        name: ``Msda`` or ``MsdaFused``; the library has it with Forward and Backward behind.
        inputs: names of its five tensors; the second and third are integers.
        device: as MindSpore spells it.
    """
    gradients = tuple(f"grad_{tensor}" for tensor in (inputs[0], *inputs[3:]))
    backward = build_primitive(
        library, f"{name}Backward", (*inputs, "grad_output"), gradients, device
    )
    bprop = backpropagation(backward)
    return build_primitive(library, f"{name}Forward", inputs, ("output",), device, bprop)


class OperatorSampling(nn.Cell):
    """Sampling by an operator, which gets the levels as tensors.

    Args:
        operator: takes value, shapes, starts and two float32 tensors.
    """

    def __init__(self, operator: Callable[..., Tensor]) -> None:
        super().__init__()
        self.operator, self.cast = operator, ops.Cast()

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        places: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Sample: [B, Q, C]; ``value`` may be float16 or bfloat16, arithmetic is float32.

        Places and weights are what the operator takes: locations and weights, or the references
        and the projection that both follow from.
        """
        sizes, starts = level_tensors(shapes)
        return self.operator(
            value, sizes, starts, self.cast(places, ms.float32), self.cast(weights, ms.float32)
        )


class CustomSampling(OperatorSampling):
    """The plain operator: same arguments and result as ``ComposedSampling``."""

    def __init__(self, library: Path, device: str) -> None:
        super().__init__(build_operator(library, "Msda", PLAIN_INPUTS, device))


class FusedSampling(OperatorSampling):
    """The operator with softmax and location arithmetic inside: as ``PlacedSampling``."""

    def __init__(self, library: Path, device: str) -> None:
        super().__init__(build_operator(library, "MsdaFused", FUSED_INPUTS, device))
