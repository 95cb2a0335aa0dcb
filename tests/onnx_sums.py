"""A small ONNX model without constants to fold, so that tests of engines need no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
from exported_files import GRAPH
from onnx import TensorProto, helper

ONNX_GRAPH = replace(GRAPH, height=1, width=2, images="normalised", boxes="unit", engine="onnx")


def write_onnx(path: Path, added: float = 1.0, batch: int | str = 1) -> Path:
    """A model: scores = images + added, labels = image_sizes, boxes = images."""
    nodes = [
        helper.make_node("Add", ["images", "one"], ["scores"]),
        helper.make_node("Identity", ["image_sizes"], ["labels"]),
        helper.make_node("Identity", ["images"], ["boxes"]),
    ]
    infos = {
        name: helper.make_tensor_value_info(name, kind, [batch, *shape])
        for names, kind, shape in (
            (("images", "scores", "boxes"), TensorProto.FLOAT, [3, 1, 2]),
            (("image_sizes", "labels"), TensorProto.INT32, [2]),
        )
        for name in names
    }
    inputs = [infos[name] for name in ("images", "image_sizes")]
    outputs = [infos[name] for name in ("scores", "labels", "boxes")]
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [added])
    graph = helper.make_graph(nodes, "test", inputs, outputs, [one])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
