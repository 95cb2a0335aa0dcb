"""ONNX files run with ONNX Runtime, and what it refuses is one sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exported_files import GRAPH
from onnx import TensorProto, helper

from focus_detr.deploy.engine import open_engine
from focus_detr.deploy.onnx_engine import OnnxEngine
from focus_detr.errors import FocusDetrError


def write_onnx(path: Path) -> Path:
    """A model: scores = images + 1, labels = image_sizes, boxes = images."""
    nodes = [
        helper.make_node("Add", ["images", "one"], ["scores"]),
        helper.make_node("Identity", ["image_sizes"], ["labels"]),
        helper.make_node("Identity", ["images"], ["boxes"]),
    ]
    infos = {
        name: helper.make_tensor_value_info(name, kind, shape)
        for names, kind, shape in (
            (("images", "scores", "boxes"), TensorProto.FLOAT, [2]),
            (("image_sizes", "labels"), TensorProto.INT32, [1, 2]),
        )
        for name in names
    }
    inputs = [infos[name] for name in ("images", "image_sizes")]
    outputs = [infos[name] for name in ("scores", "labels", "boxes")]
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph(nodes, "test", inputs, outputs, [one])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_inputs_go_by_name_and_outputs_come_in_order(tmp_path: Path) -> None:
    engine = open_engine(write_onnx(tmp_path / "a.onnx"), replace(GRAPH, engine="onnx"))
    scores, labels, boxes = engine.run(np.float32([1, 2]), np.int32([[5, 6]]))
    assert (scores.tolist(), labels.tolist(), boxes.tolist()) == ([2, 3], [[5, 6]], [1, 2])


def test_what_cannot_be_run_is_one_sentence(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    with pytest.raises(FocusDetrError, match="an ONNX file, which runs on CPU, not Ascend"):
        OnnxEngine(path, GRAPH, "Ascend")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FocusDetrError, match=r"ONNX Runtime cannot load .*a\.onnx: "):
        OnnxEngine(path, GRAPH, "cpu")


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FocusDetrError, match=r"needs ONNX Runtime: `pip install 'focus-detr\[on"):
        OnnxEngine(tmp_path / "a.onnx", GRAPH)
