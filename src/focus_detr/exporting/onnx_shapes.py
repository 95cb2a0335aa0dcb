"""Operations that move, copy and join values but compute none.

Shapes are static, so all that only reshapes becomes Reshape to the shape that MindSpore found.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from focus_detr.exporting.mindir_graph import Operation, Value
from focus_detr.exporting.onnx_builder import OnnxBuilder
from focus_detr.exporting.onnx_translation import Translation, require

_BOOL, _FLOAT = np.dtype(np.bool_), np.dtype(np.float32)


def expanded(builder: OnnxBuilder, value: Value, shape: tuple[int, ...]) -> Value:
    """A wire or array, repeated along its axes of size 1 and before them."""
    return value if value.shape == shape else builder.add("Expand", value, builder.indices(*shape))


def swapped(builder: OnnxBuilder, value: Value) -> Value:
    """A wire or array with its last two axes exchanged."""
    axes = list(range(len(value.shape)))
    return builder.add("Transpose", value, perm=[*axes[:-2], axes[-1], axes[-2]])


def _reshape(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    return (builder.reshape(operation.inputs[0], operation.outputs[0].shape),)


def _broadcast(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    return (expanded(builder, operation.inputs[0], operation.outputs[0].shape),)


def _transpose(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, order = operation.inputs
    return (builder.add("Transpose", value, perm=order),)


def _strided_slice(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """The masks are bits of axes: take all from the begin, up to the end, or one only."""
    value, begin, end, strides, *masks = operation.inputs
    from_first, to_last, ellipsis, new_axis, one = masks
    require(not (ellipsis or new_axis) and min(strides) > 0, operation)
    starts, ends = list(begin), list(end)
    for axis, size in enumerate(value.shape[: len(begin)]):
        if one >> axis & 1:
            starts[axis] %= size
            ends[axis] = starts[axis] + 1
            continue
        if from_first >> axis & 1:
            starts[axis] = 0
        if to_last >> axis & 1:
            ends[axis] = size
    part = _sliced(builder, value, starts, ends, strides)
    return (builder.reshape(part, operation.outputs[0].shape) if one else part,)


def _sliced(builder: OnnxBuilder, value: Value, *bounds: list[int]) -> Value:
    """Starts, ends and strides of the first axes; only those that are cut are named."""
    cut = [
        axis
        for axis, (size, *bound) in enumerate(zip(value.shape, *bounds, strict=False))
        if range(size)[slice(*bound)] != range(size)
    ]
    if not cut:
        return value
    starts, ends, strides = (builder.indices(*(each[axis] for axis in cut)) for each in bounds)
    arguments = starts, ends, builder.indices(*cut), strides
    if value.dtype != _BOOL:
        return builder.add("Slice", value, *arguments)
    # not every runtime cuts truth values, or makes them out of numbers by Cast
    part = builder.add("Slice", builder.cast(value, _FLOAT), *arguments)
    return builder.add("Greater", part, np.float32(0))


def _concat(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    parts, axis = operation.inputs
    return (builder.add("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0],)


def _split(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """Equal parts along an axis."""
    value, axis, count = operation.inputs
    axis %= len(value.shape)
    size = value.shape[axis] // count
    before, ones = [0] * axis, [1] * (axis + 1)
    whole = list(value.shape[:axis])
    return tuple(
        _sliced(builder, value, [*before, first], [*whole, first + size], ones)
        for first in range(0, value.shape[axis], size)
    )


def _stack(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    (parts,) = operation.inputs
    shape = list(operation.outputs[0].shape)
    axis = operation.attributes["axis"] % len(shape)
    shape[axis] = 1
    lifted = [builder.reshape(part, tuple(shape)) for part in parts]
    return (builder.add("Concat", *lifted, axis=axis),)


def _gather(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, places, axis, batch_axes = operation.inputs
    require(batch_axes == 0, operation)
    return (builder.add("Gather", value, builder.places(places), axis=axis),)


def _gather_along(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axis, places = operation.inputs
    return (builder.add("GatherElements", value, builder.places(places), axis=axis),)


def _scatter(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, places, updates = operation.inputs
    return (builder.add("ScatterND", value, builder.cast(places, np.dtype(np.int64)), updates),)


def _select(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    shape = operation.outputs[0].shape
    return (builder.add("Where", *(expanded(builder, item, shape) for item in operation.inputs)),)


SHAPES: Mapping[str, Translation] = {
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _reshape),
    "BroadcastTo": _broadcast,
    "Concat": _concat,
    "Gather": _gather,
    "GatherD": _gather_along,
    "Select": _select,
    "Split": _split,
    "Stack": _stack,
    "StridedSlice": _strided_slice,
    "TensorScatterUpdate": _scatter,
    "Transpose": _transpose,
}
