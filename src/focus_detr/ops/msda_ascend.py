"""Deformable sampling by our own operator for Ascend (``custom_ops/ascend``).

It takes what MindSpore's built-in primitive refuses: bfloat16, fewer than 32 queries, locations
that are infinite or NaN, any number of channels per head. The operator has to be built and
installed on the machine. Not run on such a device so far: the tests emulate it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, ops
from mindspore.ops import CustomRegOp, DataType

from focus_detr.ops.msda_custom import OperatorSampling
from focus_detr.ops.msda_gradient import backpropagation

# names as in custom_ops/ascend/op_host; CANN's library calls an operator by aclnn and its name
FORWARD, BACKWARD = "aclnnFocusDetrMsda", "aclnnFocusDetrMsdaGrad"
INPUTS = (
    "value",
    "spatial_shapes",
    "level_start_index",
    "sampling_locations",
    "attention_weights",
)
OUTPUTS = ("output",)
GRADIENTS = ("grad_value", "grad_locations", "grad_weights")
VALUE_TYPES = (DataType.F32_Default, DataType.F16_Default, DataType.BF16_Default)
TYPED_AS_VALUE = ("value", "output", "grad_output")
INTEGERS = ("spatial_shapes", "level_start_index")

FOLDERS_VARIABLE = "ASCEND_CUSTOM_OPP_PATH"  # folders of operators that CANN searches, with ":"
CANN_VARIABLE = "ASCEND_OPP_PATH"
VENDOR = "focus_detr"  # as in custom_ops/ascend/build.py; names the folder
LARGEST_DEPTH, MOST_SAMPLES = 256, 256  # together they still fit a core's buffer


def ascend_problem(depth: int, levels: int, points: int) -> str | None:
    """Why our operator cannot serve here or for these sizes; None if it can."""
    if depth > LARGEST_DEPTH:
        return f"our operator takes up to {LARGEST_DEPTH} channels per head, not {depth}"
    samples = levels * points
    if samples > MOST_SAMPLES:
        return f"our operator takes up to {MOST_SAMPLES} levels times points, not {samples}"
    folders = [Path(entry) for entry in os.environ.get(FOLDERS_VARIABLE, "").split(":") if entry]
    if not any(folder.name == VENDOR and folder.is_dir() for folder in folders):
        return (
            f"our operator is not installed ({FOLDERS_VARIABLE} names no folder of the vendor "
            f"{VENDOR})"
        )
    return _compilation_problem()


def _compilation_problem() -> str | None:
    """Why MindSpore could not compile its call of our operator; None if it could."""
    if not os.environ.get(CANN_VARIABLE):
        return f"{CANN_VARIABLE} is not set, where MindSpore looks for what our operator needs"
    if shutil.which("g++") is None:
        return "MindSpore finds no g++ to compile its call of our operator with"
    return None


def registration(name: str, inputs: Sequence[str], outputs: Sequence[str]) -> dict:
    """What MindSpore must know about an operator: tensors in order, and their types."""
    record = CustomRegOp(name)
    for index, tensor in enumerate(inputs):
        record = record.input(index, tensor, "required")
    for index, tensor in enumerate(outputs):
        record = record.output(index, tensor, "required")
    for value_type in VALUE_TYPES:
        record = record.dtype_format(*(_type(t, value_type) for t in (*inputs, *outputs)))
    return record.target("Ascend").get_op_info()


def build_ascend_operator() -> ops.Custom:
    """The differentiable operator on (value, shapes, starts, locations, weights).

    On an Ascend device MindSpore compiles a small file with g++ here and needs ASCEND_OPP_PATH;
    initialise communication before.
    """
    inputs = (*INPUTS, "grad_output")
    backward = ops.Custom(
        BACKWARD,
        gradient_shapes,
        (ms.float32,) * len(GRADIENTS),
        "aot",
        reg_info=registration(BACKWARD, inputs, GRADIENTS),
    )
    return ops.Custom(
        FORWARD,
        output_shape,
        _output_type,
        "aot",
        bprop=backpropagation(backward),
        reg_info=registration(FORWARD, INPUTS, OUTPUTS),
    )


def _type(tensor: str, value_type: tuple[str, str]) -> tuple[str, str]:
    if tensor in TYPED_AS_VALUE:
        return value_type
    return DataType.I32_Default if tensor in INTEGERS else DataType.F32_Default


def output_shape(
    value: Sequence[int],
    shapes: Sequence[int],
    starts: Sequence[int],
    locations: Sequence[int],
    weights: Sequence[int],
) -> list[int]:
    """[B, Q, C] from the shapes of the five inputs."""
    return [value[0], locations[1], value[2] * value[3]]


def _output_type(
    value: ms.Type, shapes: ms.Type, starts: ms.Type, locations: ms.Type, weights: ms.Type
) -> ms.Type:
    return value


def gradient_shapes(
    value: Sequence[int],
    shapes: Sequence[int],
    starts: Sequence[int],
    locations: Sequence[int],
    weights: Sequence[int],
    grad_output: Sequence[int],
) -> tuple[Sequence[int], ...]:
    """Shapes of the three gradients from those of the six inputs."""
    return value, locations, weights


class AscendSampling(OperatorSampling):
    """Same arguments and result as ``ComposedSampling``.

    Args:
        operator: takes value, shapes, starts, locations and weights; default: ours.
    """

    def __init__(self, operator: Callable[..., Tensor] | None = None) -> None:
        super().__init__(operator or build_ascend_operator())
