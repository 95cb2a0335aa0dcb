"""MindSpore's operations in terms of ONNX's, for those that the detector consists of.

Each translation gets the builder and the operation, appends nodes, and returns what the operation
computes: a value for each output, None for one that ONNX does not give. Shapes are static, so all
that only reshapes becomes Reshape to the shape that MindSpore found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.mindir_graph import Operation, Value, Wire
from focus_detr.exporting.onnx_builder import OnnxBuilder

Translation = Callable[[OnnxBuilder, Operation], tuple[Value, ...]]

_NCHW = 0  # as MindSpore numbers formats
# MindSpore's numbers of types, as Cast has them
_TYPES = {30: np.bool_, 34: np.int32, 35: np.int64, 37: np.uint8, 42: np.float16, 43: np.float32}


class Untranslatable(FocusDetrError):
    """An operation is used in a way that its translation does not cover."""


def _require(fits: bool, operation: Operation) -> None:
    if not fits:
        raise Untranslatable(f"ONNX: {operation.kind} is used in a way that is not covered")


def _same(kind: str) -> Translation:
    """An operation that takes and gives one type; MindSpore also takes mixed ones."""

    def translate(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
        """Feed all inputs as the type of the output."""
        dtype = operation.outputs[0].dtype
        fed = [builder.cast(value, dtype) for value in operation.inputs]
        return (builder.add(kind, *fed),)

    return translate


def _compared(kind: str) -> Translation:
    """A comparison; numbers take the type of the array, arrays the larger type."""

    def translate(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
        """Feed all inputs as the type that the arrays have in common."""
        arrays = [value for value in operation.inputs if isinstance(value, Wire | np.ndarray)]
        dtype = np.result_type(*(value.dtype for value in arrays))
        return (builder.add(kind, *(builder.cast(value, dtype) for value in operation.inputs)),)

    return translate


def _reshape(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    return (_shaped(builder, operation.inputs[0], operation.outputs[0].shape),)


def _shaped(builder: OnnxBuilder, value: Value, shape: tuple[int, ...]) -> str:
    return builder.add("Reshape", value, builder.indices(*shape))


def _broadcast(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    shape = builder.indices(*operation.outputs[0].shape)
    return (builder.add("Expand", operation.inputs[0], shape),)


def _cast(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, number = operation.inputs
    return (builder.cast(value, np.dtype(_TYPES[number])),)


def _transpose(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, order = operation.inputs
    return (builder.add("Transpose", value, perm=order),)


def _strided_slice(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """The masks are bits of axes: take all from the begin, up to the end, or one only."""
    value, begin, end, strides, *masks = operation.inputs
    from_first, to_last, ellipsis, new_axis, one = masks
    _require(not (ellipsis or new_axis) and min(strides) > 0, operation)
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
    bounds = (starts, ends, range(len(begin)), strides)
    part = builder.add("Slice", value, *(builder.indices(*numbers) for numbers in bounds))
    return (_shaped(builder, part, operation.outputs[0].shape),) if one else (part,)


def _concat(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    parts, axis = operation.inputs
    return (builder.add("Concat", *parts, axis=axis),)


def _stack(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    (parts,) = operation.inputs
    shape = list(operation.outputs[0].shape)
    axis = operation.attributes["axis"] % len(shape)
    shape[axis] = 1
    lifted = [_shaped(builder, part, tuple(shape)) for part in parts]
    return (builder.add("Concat", *lifted, axis=axis),)


def _matmul(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    left, right, *flags = operation.inputs
    turn_left, turn_right = flags or (False, False)
    left = _turned(builder, left) if turn_left else left
    right = _turned(builder, right) if turn_right else right
    return (builder.add("MatMul", left, right),)


def _turned(builder: OnnxBuilder, value: Wire | np.ndarray) -> str:
    """The last two axes exchanged."""
    axes = list(range(len(value.shape)))
    return builder.add("Transpose", value, perm=[*axes[:-2], axes[-1], axes[-2]])


def _dense(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, weight, bias = operation.inputs
    product = builder.add("MatMul", value, _turned(builder, weight))
    return (builder.add("Add", product, bias) if bias is not None else product,)


def _bias_add(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, bias, layout = operation.inputs
    _require(layout == _NCHW, operation)
    spatial = (1,) * (len(value.shape) - 2)
    return (builder.add("Add", value, _shaped(builder, bias, (-1, *spatial))),)


def _conv(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    attributes = operation.attributes
    _require(attributes["pad_mode"] == "pad" and attributes["format"] == "NCHW", operation)
    top, bottom, left, right = attributes["pad_list"]
    convolved = builder.add(
        "Conv",
        *operation.inputs,
        pads=[top, left, bottom, right],
        strides=attributes["stride"][2:],
        dilations=attributes["dilation"][2:],
        group=attributes["group"],
    )
    return (convolved,)


def _max_pool(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    attributes = operation.attributes
    _require(attributes["format"] == "NCDHW" and not attributes["ceil_mode"], operation)
    pooled = builder.add(
        "MaxPool",
        *operation.inputs,
        kernel_shape=attributes["ksize"],
        strides=attributes["strides"],
        dilations=attributes["dilation"],
        pads=[*attributes["pads"], *attributes["pads"]],
    )
    return pooled, None


def _layer_norm(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, gamma, beta, axis, parameter_axis, epsilon = operation.inputs
    _require(axis == parameter_axis, operation)
    normed = builder.add("LayerNormalization", value, gamma, beta, axis=axis, epsilon=epsilon)
    return normed, None, None


def _softmax(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axes = operation.inputs
    (axis,) = axes if isinstance(axes, tuple) else (axes,)
    return (builder.add("Softmax", value, axis=axis),)


def _sum(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axes, keep, dtype = operation.inputs
    _require(dtype is None and axes is not None, operation)
    return (builder.add("ReduceSum", value, builder.indices(*axes), keepdims=int(keep)),)


def _cumulated(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axis, exclusive, reverse = operation.inputs
    place = np.array(axis, np.int64)
    summed = builder.add("CumSum", value, place, exclusive=int(exclusive), reverse=int(reverse))
    return (summed,)


def _extreme(which: str) -> Translation:
    """ArgMaxWithValue and ArgMinWithValue: place and value."""

    def translate(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
        """Append one node for the places and one for the values."""
        value, axis, keep = operation.inputs
        place = builder.add(f"Arg{which}", value, axis=axis, keepdims=int(keep))
        return place, builder.add(f"Reduce{which}", value, axes=[axis], keepdims=int(keep))

    return translate


def _extreme_of_all(which: str) -> Translation:
    """Max and Min of one array: a number."""

    def translate(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
        """Append the reduction over all axes."""
        return (builder.add(f"Reduce{which}", *operation.inputs, keepdims=0),)

    return translate


def _top_k(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, count = operation.inputs
    values, places = builder.add_several("TopK", value, builder.indices(count), outputs=2)
    return values, builder.add_cast(places, operation.outputs[1].dtype)


def _gather(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, places, axis, batch_axes = operation.inputs
    _require(batch_axes == 0, operation)
    return (builder.add("Gather", value, places, axis=axis),)


def _gather_along(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axis, places = operation.inputs
    return (builder.add("GatherElements", value, places, axis=axis),)


def _scatter(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, places, updates = operation.inputs
    return (builder.add("ScatterND", value, builder.cast(places, np.dtype(np.int64)), updates),)


def _clamp(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, *limits = operation.inputs
    dtype = operation.outputs[0].dtype
    bounds = (None if limit is None else builder.cast(limit, dtype) for limit in limits)
    return (builder.add("Clip", value, *bounds),)


def _relu6(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    (value,) = operation.inputs
    low, high = (builder.cast(limit, operation.outputs[0].dtype) for limit in (0, 6))
    return (builder.add("Clip", value, low, high),)


def _square(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    (value,) = operation.inputs
    return (builder.add("Mul", value, value),)


def _rsqrt(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    return (builder.add("Reciprocal", builder.add("Sqrt", *operation.inputs)),)


def _expm1(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    one = builder.cast(1, operation.outputs[0].dtype)
    return (builder.add("Sub", builder.add("Exp", *operation.inputs), one),)


def _log(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    usual = {"base": -1.0, "scale": 1.0, "shift": 0.0}
    _require(usual.items() <= {**usual, **operation.attributes}.items(), operation)
    return (builder.add("Log", *operation.inputs),)


def _floor_div(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """ONNX's Div of whole numbers rounds towards zero, so the rest goes first."""
    dtype = operation.outputs[0].dtype
    value, divisor = (builder.cast(item, dtype) for item in operation.inputs)
    _require(dtype.kind == "i", operation)
    whole = builder.add("Sub", value, builder.add("Mod", value, divisor))
    return (builder.add("Div", whole, divisor),)


def _select(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    return (builder.add("Where", *operation.inputs),)


_PLAIN = {
    **{name: name for name in ("Add", "Sub", "Mul", "Div", "Abs", "Erf", "Sin", "Cos", "Floor")},
    **{name: name for name in ("Neg", "Reciprocal", "Sqrt", "Exp")},
    "ReLU": "Relu",
    "Maximum": "Max",
    "Minimum": "Min",
    "Adds": "Add",
    "Subs": "Sub",
    "Muls": "Mul",
    "Divs": "Div",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
    "LogicalNot": "Not",
}
_COMPARISONS = {
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "LessScalar": "Less",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "GreaterScalar": "Greater",
    "Equal": "Equal",
}

TRANSLATIONS: Mapping[str, Translation] = {
    **{name: _same(kind) for name, kind in _PLAIN.items()},
    **{name: _compared(kind) for name, kind in _COMPARISONS.items()},
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _reshape),
    **dict.fromkeys(("MatMul", "BatchMatMul", "MatMulExt"), _matmul),
    "ArgMaxWithValue": _extreme("Max"),
    "ArgMinWithValue": _extreme("Min"),
    "BiasAdd": _bias_add,
    "BroadcastTo": _broadcast,
    "Cast": _cast,
    "ClampScalar": _clamp,
    "Concat": _concat,
    "Conv2D": _conv,
    "CumSum": _cumulated,
    "Dense": _dense,
    "Expm1": _expm1,
    "FloorDiv": _floor_div,
    "Gather": _gather,
    "GatherD": _gather_along,
    "LayerNorm": _layer_norm,
    "Log": _log,
    "Max": _extreme_of_all("Max"),
    "MaxPool3DWithArgmax": _max_pool,
    "Min": _extreme_of_all("Min"),
    "ReLU6": _relu6,
    "Rsqrt": _rsqrt,
    "Select": _select,
    "Softmax": _softmax,
    "Square": _square,
    "Stack": _stack,
    "StridedSlice": _strided_slice,
    "SumExt": _sum,
    "TensorScatterUpdate": _scatter,
    "TopK": _top_k,
    "Transpose": _transpose,
}
