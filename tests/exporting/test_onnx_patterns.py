"""Graphs are written without what runtimes stumble over, though MindSpore's have it all."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx_patterns import stumbling_blocks

from focus_detr.exporting.mindir_graph import MindirGraph, Operation, Wire
from focus_detr.exporting.onnx_open_batch import with_open_batch
from focus_detr.exporting.onnx_writing import translate

FLOAT, INT32, INT64, BOOL = map(np.dtype, (np.float32, np.int32, np.int64, np.bool_))
POOLING = {"ksize": (1, 3, 3), "strides": (1, 2, 2), "pads": (0, 1, 1), "dilation": (1, 1, 1)}
POOLING |= {"format": "NCDHW", "ceil_mode": False}


def detour(maps: Wire, sizes: Wire) -> MindirGraph:
    """Each of the patterns once, on [1, 2, 6, 8] maps."""
    scale = np.arange(1, 9, dtype=np.float32)
    kinds = [
        ("volume", (1, 2, 1, 6, 8), FLOAT), ("pooled", (1, 2, 1, 3, 4), FLOAT),
        ("places3", (1, 2, 1, 3, 4), INT64), ("flat", (1, 24), FLOAT),
        ("least_at", (1, 1), INT64), ("least", (1, 1), FLOAT), ("enough", (1, 24), BOOL),
        ("some", (1, 8), BOOL), ("table", (1, 8), FLOAT), ("unused", (1, 24), FLOAT),
        ("cosine", (1, 24), FLOAT), ("normed", (1, 24), FLOAT), ("mean", (1, 1), FLOAT),
        ("spread", (1, 1), FLOAT), ("eight", (1, 8), FLOAT), ("chosen", (1, 8), FLOAT),
        ("best", (1, 4), FLOAT), ("at", (1, 4), INT32), ("wide", (1, 4), INT64),
        ("picked", (1, 4), FLOAT), ("turned", (1, 2), INT32),
    ]  # fmt: skip
    wire = {name: Wire(name, shape, dtype) for name, shape, dtype in kinds}

    def step(kind: str, inputs: tuple[object, ...], *outputs: str, **attributes: object):
        return Operation(kind, inputs, tuple(wire[name] for name in outputs), attributes)

    w, ones, zeros = wire, np.ones(24, np.float32), np.zeros(24, np.float32)
    some = (w["enough"], (0, 0), (1, 8), (1, 1), 0, 0, 0, 0, 0)
    eight = (w["normed"], (0, 0), (1, 8), (1, 1), 0, 0, 0, 0, 0)
    steps = (
        step("ExpandDims", (maps, 2), "volume"),
        step("MaxPool3DWithArgmax", (w["volume"],), "pooled", "places3", **POOLING),
        step("Reshape", (w["pooled"], (1, 24)), "flat"),
        step("ArgMinWithValue", (w["flat"], 1, True), "least_at", "least"),
        step("GreaterEqual", (w["flat"], w["least"]), "enough"),
        step("StridedSlice", some, "some"),
        step("Muls", (scale[None], 2.0), "table"),
        step("Exp", (w["flat"],), "unused"),
        step("Cos", (w["flat"],), "cosine"),
        step("LayerNorm", (w["cosine"], ones, zeros, -1, -1, 1e-5), "normed", "mean", "spread"),
        step("StridedSlice", eight, "eight"),
        step("Select", (w["some"], w["table"], np.float32([[-1]])), "chosen"),
        step("TopK", (w["chosen"], 4), "best", "at"),
        step("Cast", (w["at"], 35), "wide"),
        step("GatherD", (w["eight"], 1, w["wide"]), "picked"),
        step("Neg", (sizes,), "turned"),
    )
    return MindirGraph((maps, sizes), steps, (w["best"], w["least_at"], w["picked"], w["turned"]))


@pytest.fixture(scope="module")
def graph() -> MindirGraph:
    return detour(Wire("maps", (1, 2, 6, 8), FLOAT), Wire("sizes", (1, 2), INT32))


def test_none_of_the_patterns_is_written(graph: MindirGraph) -> None:
    model = translate(graph)
    onnx.checker.check_model(model, full_check=True)
    assert stumbling_blocks(model) == []
    assert stumbling_blocks(with_open_batch(model)) == []
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Exp", "ReduceMax"})


def test_a_long_row_is_not_multiplied_as_a_matrix() -> None:
    row, table = (
        Wire(name, shape, FLOAT) for name, shape in (("r", (1, 1, 3000)), ("t", (1, 3000, 2)))
    )
    found = Wire("f", (1, 1, 2), FLOAT)
    step = Operation("BatchMatMul", (row, table, False, False), (found,), {})
    assert stumbling_blocks(translate(MindirGraph((row, table), (step,), (found,)))) == []


def test_what_is_written_instead_computes_the_same(graph: MindirGraph) -> None:
    session = onnxruntime.InferenceSession(
        translate(graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    maps = np.random.default_rng(0).normal(0, 2, (1, 2, 6, 8)).astype(np.float32)
    feeds = {"images": maps, "image_sizes": np.int32([[6, 8]])}
    best, least_at, picked, _ = session.run(None, feeds)
    around = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (2, 3))[:, :, ::2, ::2]
    flat = windows.max((-1, -2)).reshape(1, 24)
    assert least_at.tolist() == [[flat.argmin()]]
    assert best.tolist() == [[16, 14, 12, 10]]  # every value is at least the least
    cosine = np.cos(flat.astype(np.float64))
    normed = (cosine - cosine.mean()) / np.sqrt(cosine.var() + 1e-5)
    np.testing.assert_allclose(picked, normed[:, [7, 6, 5, 4]], rtol=1e-5, atol=1e-5)


def test_the_search_finds_each_pattern() -> None:
    """All of them in one graph, as an exporter that does not care writes it."""
    make, value = helper.make_node, helper.make_tensor_value_info
    real, whole, truth = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    arrays = [
        helper.make_tensor(name, whole, [1], [number]) for name, number in (("0", 0), ("1", 1))
    ]
    nodes = [
        make("MaxPool", ["v"], ["p"], kernel_shape=[1, 1, 1], dilations=[1, 1, 1]),
        make("GreaterOrEqual", ["v", "p"], ["g"]),
        make("Slice", ["g", "0", "1", "1"], ["s"]),
        make("Where", ["s", "v", "p"], ["w"]),
        make("ArgMin", ["w"], ["a"], axis=1),
        make("Cast", ["a"], ["i"], to=onnx.TensorProto.INT32),
        make("Cast", ["i"], ["c"], to=whole),
        make("Add", ["0", "1"], ["o"]),
        make("Cast", ["a"], ["b"], to=truth),
        make("Cos", ["v"], ["d"]),
        make("GatherElements", ["v", "c"], ["y"], axis=1),
        make("LayerNormalization", ["y", "y"], ["z"]),
        make("MatMul", ["row", "column"], ["x"]),
    ]
    shape = [1, 2, 3, 4, 5]
    products = [value("row", real, [1, 2001]), value("column", real, [2001, 1])]
    ends = [value(name, real, None) for name in "xyz"]
    arrays.append(helper.make_tensor("left over", whole, [1], [1]))
    graph = helper.make_graph(nodes, "all", [value("v", real, shape), *products], ends, arrays)
    found = stumbling_blocks(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    )
    assert sorted(found) == [
        "Add for nobody", "Add of constants only", "ArgMin", "Cast for nobody",
        "Cast to truth values", "Cos", "Cos for nobody", "GatherElements fed by Cast of int32",
        "GreaterOrEqual", "LayerNormalization", "MatMul of a long row", "MaxPool of volumes",
        "MaxPool with dilations", "Slice of truth values", "Where that broadcasts",
        "left over is not used",
    ]  # fmt: skip
