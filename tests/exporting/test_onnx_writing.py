"""A whole graph in ONNX: what it is called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.exporting import onnx_writing
from focus_detr.exporting.mindir_graph import MindirGraph, Operation, Wire
from focus_detr.exporting.onnx_writing import translate, write_onnx


def graph(kind: str) -> MindirGraph:
    """Three outputs of one operation on the images, which are doubled before."""
    images = Wire("a", (2, 3), np.dtype(np.float32))
    sizes = Wire("b", (1, 2), np.dtype(np.int32))
    twice, result = (Wire(name, (2, 3), images.dtype) for name in ("c", "d"))
    weight = np.float32([2])
    steps = (
        Operation("Mul", (images, weight), (twice,), {}),
        Operation(kind, (twice, weight), (result,), {}),
    )
    return MindirGraph((images, sizes), steps, (result, twice, result))


def test_inputs_and_outputs_have_names_and_weights_are_stored_once() -> None:
    model = translate(graph("Add"))
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.initializer) == 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    images = np.float32([[1, 2, 3], [4, 5, 6]])
    feeds = {"images": images, "image_sizes": np.int32([[1, 1]])}
    scores, labels, boxes = session.run(["scores", "labels", "boxes"], feeds)
    np.testing.assert_array_equal(scores, 2 * images + 2)
    np.testing.assert_array_equal(labels, 2 * images)
    np.testing.assert_array_equal(boxes, scores)


def test_operations_without_translation_are_named() -> None:
    with pytest.raises(FocusDetrError, match=r"no translation of GridSampler2D$"):
        translate(graph("GridSampler2D"))


def test_a_network_beyond_the_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_writing, "read_graph", lambda path: graph("Add"))
    monkeypatch.setattr(onnx_writing, "_LARGEST", 100)
    with pytest.raises(FocusDetrError, match=r"a\.onnx: ONNX files end at 2 GB"):
        write_onnx(tmp_path / "a.mindir", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
