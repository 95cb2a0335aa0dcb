"""Translated operations compute in ONNX Runtime what MindSpore's definitions say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.mindir_graph import Operation, Wire
from focus_detr.exporting.onnx_builder import OnnxBuilder
from focus_detr.exporting.onnx_operators import TRANSLATIONS

RNG = np.random.default_rng(0)
FLOATS = RNG.normal(0, 2, (2, 3, 4)).astype(np.float32)
KERNEL = RNG.normal(0, 1, (5, 3, 3, 3)).astype(np.float32)
MAP = RNG.normal(0, 1, (1, 3, 7, 8)).astype(np.float32)
POOLING = {"ksize": (1, 3, 3), "strides": (1, 2, 2), "pads": (0, 1, 1), "dilation": (1, 1, 1)}
POOLING |= {"format": "NCDHW", "ceil_mode": False}


def translated(
    kind: str,
    inputs: Sequence[Any],
    expected: Sequence[np.ndarray | None],
    attributes: Any,
    *,
    constant: bool = False,
) -> tuple[ModelProto, dict[str, np.ndarray]]:
    """A model of one operation, whose first array or arrays are inputs and all others constants."""
    builder, feeds, wires = OnnxBuilder(), {}, list(inputs)
    first = [] if constant else _arrays(inputs[0])
    taken = tuple(Wire(f"x{i}", array.shape, array.dtype) for i, array in enumerate(first))
    for wire, array in zip(taken, first, strict=True):
        builder.bind(wire, wire.name)
        feeds[wire.name] = array
    if first:
        wires[0] = taken if isinstance(inputs[0], tuple) else taken[0]
    known = [np.zeros(0) if array is None else array for array in expected]
    outputs = [Wire(f"y{i}", array.shape, array.dtype) for i, array in enumerate(known)]
    operation = Operation(kind, tuple(wires), tuple(outputs), attributes)
    results = TRANSLATIONS[kind](builder, operation)
    assert len(results) == len(expected)
    named = []
    for wire, result in zip(outputs, results, strict=True):
        if result is not None:
            builder.bind(wire, result)
            named.append((wire.name, wire))
    return builder.model([(wire.name, wire) for wire in taken], named), feeds


def _arrays(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, tuple) else [value]


def check(
    kind: str,
    inputs: Sequence[Any],
    *expected: np.ndarray | None,
    tolerance: float = 1e-5,
    **attributes: Any,
) -> None:
    """ONNX Runtime gives what is expected, and so does folding, when nothing is left to run."""
    given_outputs = [array for array in expected if array is not None]
    for constant in (False, True):
        model, feeds = translated(kind, inputs, expected, attributes, constant=constant)
        kinds = {node.op_type for node in model.graph.node}
        assert not constant or kinds == {"Identity"}
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        for found, right in zip(session.run(None, feeds), given_outputs, strict=True):
            assert found.dtype == right.dtype and found.shape == right.shape
            np.testing.assert_allclose(found, right, rtol=tolerance, atol=tolerance)


def test_arithmetic_of_one_and_of_mixed_types() -> None:
    whole = np.int32([[3, -7], [2, 9]])
    check("Add", [FLOATS, FLOATS[:1]], FLOATS + FLOATS[:1])
    check("Muls", [whole, 128], whole * np.int32(128))
    check("Divs", [FLOATS, 12], FLOATS / np.float32(12))
    check("Minimum", [FLOATS, np.float32(0.5)], np.minimum(FLOATS, np.float32(0.5)))
    check("FloorDiv", [whole, np.int32(4)], whole // np.int32(4))
    check("Less", [np.int64([1, 5]), np.int32([[3]])], np.array([[True, False]]))
    check("LessScalar", [FLOATS, 0.99], FLOATS < 0.99)
    check("GreaterEqual", [whole, np.int32([3])], whole >= 3)
    nothing = np.float32([[np.nan, 1, np.inf]])
    check("GreaterEqual", [nothing, np.float32(1)], nothing >= 1)
    check("LogicalNot", [whole > 0], whole <= 0)


def test_functions() -> None:
    positive = np.abs(FLOATS) + 0.1
    check("Rsqrt", [positive], 1 / np.sqrt(positive))
    check("Square", [FLOATS], FLOATS**2)
    check("Expm1", [FLOATS], np.expm1(FLOATS))
    check("Log", [positive], np.log(positive), base=-1.0, scale=1.0, shift=0.0)
    check("ReLU6", [FLOATS * 9], np.clip(FLOATS * 9, 0, 6))
    check("ClampScalar", [FLOATS, -1.0, None], np.maximum(FLOATS, -1))
    check("ClampScalar", [FLOATS, 0.0, 1.0], np.clip(FLOATS, 0, 1))
    angles = np.linspace(0, 2 * np.pi, 1000, dtype=np.float32)
    check("Cos", [angles], np.cos(angles), tolerance=3e-7)  # angles are rounded by 2.4e-7
    check("Cast", [FLOATS > 0, 43], (FLOATS > 0).astype(np.float32))


def test_shapes() -> None:
    check("ExpandDims", [FLOATS, 1], FLOATS[:, None])
    check("Transpose", [FLOATS, (2, 0, 1)], FLOATS.transpose(2, 0, 1))
    check("BroadcastTo", [FLOATS[:1], (2, 3, 4)], np.broadcast_to(FLOATS[:1], (2, 3, 4)))
    pair = (FLOATS, -FLOATS)
    check("Concat", [pair, -1], np.concatenate(pair, -1))
    check("Stack", [pair], np.stack(pair, -1), axis=-1)
    check("Stack", [pair], np.stack(pair, 1), axis=1)
    check("Split", [FLOATS, -1, 2], *np.split(FLOATS, 2, -1))
    check("Split", [FLOATS, 1, 3], *np.split(FLOATS, 3, 1))
    check("Select", [FLOATS > 0, FLOATS, -FLOATS], np.abs(FLOATS))
    check("Select", [FLOATS > 0, FLOATS[:1], np.float32([[[0]]])], (FLOATS > 0) * FLOATS[:1])


BOUNDS = st.tuples(st.integers(-4, 3), st.integers(1, 4), st.integers(1, 2))


@settings(max_examples=40)
@given(st.lists(BOUNDS, min_size=1, max_size=3), *[st.integers(0, 7)] * 3)
def test_strided_slices_are_numpy_slices(
    bounds: list[tuple[int, int, int]], from_first: int, to_last: int, one: int
) -> None:
    array = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    index = tuple(
        begin
        if one >> axis & 1
        else slice(
            None if from_first >> axis & 1 else begin, None if to_last >> axis & 1 else end, step
        )
        for axis, (begin, end, step) in enumerate(bounds)
    )
    begin, end, step = zip(*bounds, strict=True)
    for values in (array, array % 3 == 0):
        expected = np.asarray(values[index])
        if expected.size:
            arguments = [values, begin, end, step, from_first, to_last, 0, 0, one]
            check("StridedSlice", arguments, expected)


def test_products() -> None:
    weight, bias = FLOATS[0].T.copy(), np.float32([1, 2, 3])  # [4, 3]
    check("MatMulExt", [FLOATS, weight], FLOATS @ weight)
    check("MatMul", [FLOATS[0], FLOATS[1], False, True], FLOATS[0] @ FLOATS[1].T)
    check("BatchMatMul", [FLOATS, FLOATS, True, False], FLOATS.transpose(0, 2, 1) @ FLOATS)
    row = RNG.normal(0, 1, (2, 1, 3)).astype(np.float32)
    check("BatchMatMul", [row, FLOATS, False, False], row @ FLOATS)
    check("MatMulExt", [row, FLOATS[0]], row @ FLOATS[0])
    long_row = np.linspace(0, 1e-3, 3000, dtype=np.float32).reshape(1, 1, 3000)
    table = np.stack([np.ones(3000), np.arange(3000)], -1, dtype=np.float32)[None]
    check("BatchMatMul", [long_row, table, False, False], np.float32([[[1.5, 2999.5]]]))
    check("Dense", [FLOATS, weight.T, bias], FLOATS @ weight + bias)
    check("BiasAdd", [MAP, bias, 0], MAP + bias[:, None, None])


def test_reductions() -> None:
    check("SumExt", [FLOATS, (1,), True, None], FLOATS.sum(1, keepdims=True))
    check("CumSum", [FLOATS, 1, False, False], FLOATS.cumsum(1))
    check("ArgMaxWithValue", [FLOATS, -1, False], FLOATS.argmax(-1), FLOATS.max(-1))
    least = FLOATS.argmin(1)[:, None], FLOATS.min(1, keepdims=True)
    check("ArgMinWithValue", [FLOATS, 1, True], *least)
    check("Max", [FLOATS], FLOATS.max())
    check("Min", [FLOATS], FLOATS.min())
    exponents = np.exp(FLOATS)
    check("Softmax", [FLOATS, (-1,)], exponents / exponents.sum(-1, keepdims=True))
    centred = FLOATS - FLOATS.mean(-1, keepdims=True)
    gamma, beta = np.float32([1, 2, 3, 4]), np.float32([0, 1, 0, 1])
    for size in (1, 1e-3):  # where all is nearly equal, epsilon decides
        normed = size * centred / np.sqrt((size * centred).var(-1, keepdims=True) + 1e-5)
        inputs = [np.float32(size) * centred, gamma, beta, -1, -1, 1e-5]
        check("LayerNorm", inputs, normed * gamma + beta, None, None)


def test_picking() -> None:
    order = np.argsort(-FLOATS, -1)[..., :2]
    check("TopK", [FLOATS, 2], np.take_along_axis(FLOATS, order, -1), order.astype(np.int32))
    check("Gather", [FLOATS, np.int32([2, 0]), 1, 0], FLOATS[:, [2, 0]])
    places = np.int64([[[0], [2], [1]], [[3], [3], [0]]])
    check("GatherD", [FLOATS, 2, places], np.take_along_axis(FLOATS, places, 2))
    table = FLOATS[0].copy()
    table[[2, 0]] = FLOATS[1, :2]
    inputs = [FLOATS[0], np.int32([[2], [0]]), FLOATS[1, :2]]
    check("TensorScatterUpdate", inputs, table)


def test_maps() -> None:
    padded = np.pad(MAP, ((0, 0), (0, 0), (0, 2), (1, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
    common = {"pad_mode": "pad", "format": "NCHW", "dilation": (1, 1, 1, 1), "group": 1}
    expected = np.einsum("bchwyx,ocyx->bohw", windows, KERNEL)
    place = {"pad_list": (0, 2, 1, 0), "stride": (1, 1, 2, 2)}
    check("Conv2D", [MAP, KERNEL], expected, **common, **place)
    around = np.pad(MAP, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (2, 3))[:, :, ::2, ::2]
    pooled = windows.max((-1, -2))[:, :, None]
    check("MaxPool3DWithArgmax", [MAP[:, :, None]], pooled, None, **POOLING)


@pytest.mark.parametrize(
    ("kind", "inputs", "attributes"),
    [
        ("StridedSlice", [FLOATS, (0,), (1,), (1,), 0, 0, 1, 0, 0], {}),
        ("StridedSlice", [FLOATS, (1,), (0,), (-1,), 0, 0, 0, 0, 0], {}),
        ("Log", [FLOATS], {"base": 2.0}),
        ("BiasAdd", [MAP, FLOATS[0, 0], 1], {}),
        ("Gather", [FLOATS, np.int32([0]), 1, 1], {}),
        ("Conv2D", [MAP, KERNEL], {"pad_mode": "same", "format": "NCHW"}),
        ("MaxPool3DWithArgmax", [MAP[:, None]], POOLING | {"ksize": (2, 3, 3)}),
        ("MaxPool3DWithArgmax", [MAP[:, :, None]], POOLING | {"dilation": (1, 2, 2)}),
    ],
)
def test_what_no_translation_covers_is_refused(
    kind: str, inputs: list[Any], attributes: dict[str, Any]
) -> None:
    with pytest.raises(FocusDetrError, match=f"ONNX: {kind} is used in a way that is not covered"):
        translated(kind, inputs, [FLOATS], attributes)
