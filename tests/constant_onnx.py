"""An exported ONNX model that always finds the same, so that tests need no network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from exported_files import SIDECAR
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

from focus_detr.deploy.sidecar import Graph, write_sidecar
from focus_detr.io.files import sha256_of

GRIDS = ((8, 12), (4, 6))
FOUND = {
    "scores": np.float32([[0.75]]),
    "labels": np.int32([[1]]),
    "boxes": np.float32([[[0.25, 0.25, 0.75, 0.75]]]),
    "ranked_tokens": np.arange(120, dtype=np.int32)[None],
    "refined_counts": np.int32([[120, 24]]),
}


def write_constant_onnx(path: Path, *, tokens: bool = False) -> Path:
    """One dog in the middle of whatever picture; with ``tokens`` two layers that kept some."""
    grids = GRIDS if tokens else None
    graph = replace(SIDECAR.graph, engine="onnx", boxes="unit", token_grids=grids)
    save(_model(graph), path)
    write_sidecar(path, replace(SIDECAR, file_sha256=sha256_of(path), graph=graph))
    return path


def _model(graph: Graph) -> ModelProto:
    constants = [numpy_helper.from_array(FOUND[name], f"{name}_") for name in graph.outputs]
    nodes = [helper.make_node("Identity", [f"{name}_"], [name]) for name in graph.outputs]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.UINT8, [1, 64, 96, 3]),
        helper.make_tensor_value_info("image_sizes", TensorProto.INT32, [1, 2]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, constant.data_type, constant.dims)
        for name, constant in zip(graph.outputs, constants, strict=True)
    ]
    made = helper.make_graph(nodes, "constant", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
