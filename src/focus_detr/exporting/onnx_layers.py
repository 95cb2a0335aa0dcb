"""Operations with weights and windows: products, convolutions, pooling, norms."""

from __future__ import annotations

from collections.abc import Mapping

from focus_detr.exporting.mindir_graph import Operation, Value
from focus_detr.exporting.onnx_builder import OnnxBuilder
from focus_detr.exporting.onnx_shapes import swapped
from focus_detr.exporting.onnx_translation import Translation, require

_NCHW = 0  # as MindSpore numbers formats
_LONG_ROW = 1000  # numbers; MindSpore Lite 2.0 multiplies rows of more than 2000 wrongly


def _matmul(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    left, right, *flags = operation.inputs
    swap_left, swap_right = flags or (False, False)
    long_row = left.shape[-2:-1] == (1,) and left.shape[-1] > _LONG_ROW
    if long_row and not (swap_left or swap_right):
        column = builder.reshape(left, (*left.shape[:-2], left.shape[-1], 1))
        products = builder.add("Mul", column, right)
        return (builder.add("ReduceSum", products, builder.indices(-2), keepdims=1),)
    left = swapped(builder, left) if swap_left else left
    right = swapped(builder, right) if swap_right else right
    return (builder.add("MatMul", left, right),)


def _dense(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, weight, bias = operation.inputs
    product = builder.add("MatMul", value, swapped(builder, weight))
    return (builder.add("Add", product, bias) if bias is not None else product,)


def _bias_add(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, bias, layout = operation.inputs
    require(layout == _NCHW, operation)
    spatial = (1,) * (len(value.shape) - 2)
    return (builder.add("Add", value, builder.reshape(bias, (*bias.shape, *spatial))),)


def _conv(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    attributes = operation.attributes
    require(attributes["pad_mode"] == "pad" and attributes["format"] == "NCHW", operation)
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
    """MindSpore pools maps as volumes of depth 1; not every runtime knows volumes."""
    (value,) = operation.inputs
    attributes = operation.attributes
    names = ("ksize", "strides", "pads", "dilation")
    window, strides, pads, dilation = (attributes[name] for name in names)
    flat = value.shape[2] == window[0] == strides[0] == 1 and pads[0] == 0
    require(flat and set(dilation) == {1}, operation)
    require(attributes["format"] == "NCDHW" and not attributes["ceil_mode"], operation)
    pooled = builder.add(
        "MaxPool",
        builder.reshape(value, (*value.shape[:2], *value.shape[3:])),
        kernel_shape=window[1:],
        strides=strides[1:],
        pads=[*pads[1:], *pads[1:]],
    )
    return builder.reshape(pooled, operation.outputs[0].shape), None


def _layer_norm(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    """In these very steps ONNX Runtime finds its LayerNormalization, at the same speed.

    Others take LayerNormalization for one without epsilon, which matters where rows hardly vary.
    """
    value, gamma, beta, axis, parameter_axis, epsilon = operation.inputs
    require(axis == parameter_axis, operation)
    dtype, axes = operation.outputs[0].dtype, list(range(axis % len(value.shape), len(value.shape)))
    centred = builder.add("Sub", value, builder.add("ReduceMean", value, axes=axes))
    squares = builder.add("Pow", centred, builder.cast(2, dtype))
    variance = builder.add("ReduceMean", squares, axes=axes)
    spread = builder.add("Sqrt", builder.add("Add", variance, builder.cast(epsilon, dtype)))
    scaled = builder.add("Mul", builder.add("Div", centred, spread), gamma)
    return builder.add("Add", scaled, beta), None, None


def _softmax(builder: OnnxBuilder, operation: Operation) -> tuple[Value, ...]:
    value, axes = operation.inputs
    (axis,) = axes if isinstance(axes, tuple) else (axes,)
    return (builder.add("Softmax", value, axis=axis),)


LAYERS: Mapping[str, Translation] = {
    **dict.fromkeys(("MatMul", "BatchMatMul", "MatMulExt"), _matmul),
    "BiasAdd": _bias_add,
    "Conv2D": _conv,
    "Dense": _dense,
    "LayerNorm": _layer_norm,
    "MaxPool3DWithArgmax": _max_pool,
    "Softmax": _softmax,
}
