"""A function of a native library as a primitive of MindSpore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mindspore import Tensor, ops
from mindspore.ops import CustomRegOp, DataType


def build_primitive(
    library: Path,
    name: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    device: str = "CPU",
    bprop: Callable[..., tuple[Tensor, ...]] | None = None,
    **settings: int | float | tuple[int, ...],
) -> ops.Custom:
    """One function of the library; its shapes and types are inferred there.

    Args:
        library: its file.
        name: of the function.
        inputs: names of its tensors.
        outputs: names of what it gives.
        device: as MindSpore spells it.
        bprop: its derivative, if it has one.
        settings: numbers that the function asks for by name.
    """
    registration = CustomRegOp(name)
    for index, tensor in enumerate(inputs):
        registration = registration.input(index, tensor, "required")
    for index, tensor in enumerate(outputs):
        registration = registration.output(index, tensor, "required")
    formats = [DataType.None_None] * (len(inputs) + len(outputs))
    info = registration.dtype_format(*formats).target(device).get_op_info()
    primitive = ops.Custom(f"{library}:{name}", None, None, "aot", bprop=bprop, reg_info=info)
    for key, value in settings.items():
        primitive.add_prim_attr(key, list(value) if isinstance(value, tuple) else value)
    return primitive
