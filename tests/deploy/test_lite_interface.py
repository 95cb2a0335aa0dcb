"""The stand-in of MindSpore Lite behaves as the real library does."""

from __future__ import annotations

from pathlib import Path

import lite_library
import numpy as np
import onnx
import pytest
from lite_contract import IMAGES, SIZES, check_contract
from lite_runs import run_worker
from lite_stand_in import StandIn
from onnx import TensorProto, helper


def test_the_stand_in(tmp_path: Path) -> None:
    path = tmp_path / "a.mindir"
    path.touch()
    takes = {"images": np.zeros_like(IMAGES), "image_sizes": np.zeros_like(SIZES)}
    stand_in = StandIn(takes, lambda inputs: [2 * array for array in inputs.values()])
    check_contract(stand_in.module(), path)


@pytest.mark.skipif(lite_library.problem() is not None, reason=str(lite_library.problem()))
def test_the_real_library(tmp_path: Path, lite_functions: Path) -> None:
    onnx.save(_doubling(), tmp_path / "a.onnx")
    run_worker(lite_functions, "convert", tmp_path / "a.onnx", tmp_path / "a.mindir")
    run_worker(lite_functions, "contract", tmp_path / "a.mindir")


def _doubling() -> onnx.ModelProto:
    values = {"images": (TensorProto.FLOAT, [1, 3, 4]), "image_sizes": (TensorProto.INT32, [1, 2])}
    inputs = [helper.make_tensor_value_info(name, *what) for name, what in values.items()]
    outputs = [helper.make_tensor_value_info(f"2 {name}", *what) for name, what in values.items()]
    nodes = [helper.make_node("Add", [name, name], [f"2 {name}"]) for name in values]
    graph = helper.make_graph(nodes, "doubling", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
