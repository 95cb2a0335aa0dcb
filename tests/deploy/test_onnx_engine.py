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

ONNX_GRAPH = replace(GRAPH, height=1, width=2, images="normalised", boxes="unit", engine="onnx")


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
            (("images", "scores", "boxes"), TensorProto.FLOAT, [1, 3, 1, 2]),
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
    images = np.arange(6, dtype=np.float32).reshape(1, 3, 1, 2)
    engine = open_engine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    scores, labels, boxes = engine.run(images, np.int32([[5, 6]]))
    np.testing.assert_array_equal(scores, images + 1)
    np.testing.assert_array_equal(boxes, images)
    assert labels.tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 32}, r"a\.onnx takes images \[1, 3, 1, 2\].* says images \[1, 3, 32, 2\]"),
        ({"batch": None}, r"a\.onnx takes .* says images \[None, 3, 1, 2\]"),
        ({"images": "pixels"}, "a.onnx takes .*float32.* says .*uint8"),
        ({"boxes": "pixels"}, "a.onnx takes .* says .*picture_sizes"),
        ({"token_grids": ((1, 1),)}, "a.onnx does not give ranked_tokens, refined_counts"),
    ],
)
def test_another_files_sidecar_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(FocusDetrError, match=message):
        OnnxEngine(write_onnx(tmp_path / "a.onnx"), replace(ONNX_GRAPH, **changes))


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
    with pytest.raises(FocusDetrError, match=r"needs ONNX Runtime: `pip install -e '\.\[onnx"):
        OnnxEngine(tmp_path / "a.onnx", GRAPH)
