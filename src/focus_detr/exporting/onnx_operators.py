"""MindSpore's operations in terms of ONNX's, for those that the detector consists of.

Where ONNX has several ways, it is one that more runtimes have: no ArgMin, GreaterOrEqual or Cos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import pi

import numpy as np

from focus_detr.exporting.mindir_graph import Operation, Value, Wire
from focus_detr.exporting.onnx_builder import OnnxBuilder
from focus_detr.exporting.onnx_layers import LAYERS
from focus_detr.exporting.onnx_shapes import SHAPES
from focus_detr.exporting.onnx_translation import Translation, require
from focus_detr.exporting.sampling_marks import MARK

# MindSpore's numbers of types, as Cast has them
_TYPES = {30: np.bool_, 34: np.int32, 35: np.int64, 37: np.uint8, 42: np.float16, 43: np.float32}


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


def _at_least(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """As b <= a for a >= b."""
    exchanged = replace(operation, inputs=operation.inputs[::-1])
    return _compared("LessOrEqual")(builder, exchanged)


def _cosine(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """A sine a quarter turn on; the sum adds less than float32 angles are rounded by."""
    (angle,) = operation.inputs
    quarter = builder.cast(pi / 2, operation.outputs[0].dtype)
    return (builder.add("Sin", builder.add("Add", angle, quarter)),)


def _cast(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, number = operation.inputs
    return (builder.cast(value, np.dtype(_TYPES[number])),)


def _sum(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axes, keep, dtype = operation.inputs
    require(dtype is None and axes is not None, operation)
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
        ranked = value if which == "Max" else builder.add("Neg", value)
        place = builder.add("ArgMax", ranked, axis=axis, keepdims=int(keep))
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
    require(usual.items() <= {**usual, **operation.attributes}.items(), operation)
    return (builder.add("Log", *operation.inputs),)


def _floor_div(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """ONNX's Div of whole numbers rounds towards zero, so the rest goes first."""
    dtype = operation.outputs[0].dtype
    value, divisor = (builder.cast(item, dtype) for item in operation.inputs)
    require(dtype.kind == "i", operation)
    whole = builder.add("Sub", value, builder.add("Mod", value, divisor))
    return (builder.add("Div", whole, divisor),)


_PLAIN = {
    **{name: name for name in ("Add", "Sub", "Mul", "Div", "Abs", "Erf", "Sin", "Floor")},
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
    "GreaterScalar": "Greater",
    "Equal": "Equal",
}


def _identity(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """No node; what it marks is remembered."""
    if MARK in operation.attributes:
        builder.mark(operation.attributes[MARK], operation.inputs[0])
    return operation.inputs


TRANSLATIONS: Mapping[str, Translation] = {
    **{name: _same(kind) for name, kind in _PLAIN.items()},
    **{name: _compared(kind) for name, kind in _COMPARISONS.items()},
    **SHAPES,
    **LAYERS,
    "ArgMaxWithValue": _extreme("Max"),
    "ArgMinWithValue": _extreme("Min"),
    "Cast": _cast,
    "ClampScalar": _clamp,
    "Cos": _cosine,
    "CumSum": _cumulated,
    "Expm1": _expm1,
    "FloorDiv": _floor_div,
    "GreaterEqual": _at_least,
    "Identity": _identity,
    "Log": _log,
    "Max": _extreme_of_all("Max"),
    "Min": _extreme_of_all("Min"),
    "ReLU6": _relu6,
    "Rsqrt": _rsqrt,
    "Square": _square,
    "SumExt": _sum,
    "TopK": _top_k,
}
