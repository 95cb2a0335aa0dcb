"""ONNX files run with ONNX Runtime, and what it refuses is one sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exported_files import GRAPH
from onnx_sums import ONNX_GRAPH, write_onnx

from focus_detr.deploy.onnx_engine import OnnxEngine
from focus_detr.errors import FocusDetrError


def test_inputs_go_by_name_and_outputs_come_in_order(tmp_path: Path) -> None:
    images = np.arange(6, dtype=np.float32).reshape(1, 3, 1, 2)
    engine = OnnxEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
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
    engine = OnnxEngine(path, ONNX_GRAPH)
    with pytest.raises(FocusDetrError, match=r"ONNX Runtime cannot run .*a\.onnx: "):
        engine.run(np.zeros((2, 3, 1, 2), np.float32), np.int32([[5, 6]]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FocusDetrError, match=r"ONNX Runtime cannot load .*a\.onnx: "):
        OnnxEngine(path, GRAPH, "cpu")


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FocusDetrError, match=r"needs ONNX Runtime: `pip install -e '\.\[onnx"):
        OnnxEngine(tmp_path / "a.onnx", GRAPH)


@pytest.mark.parametrize(("variable", "threads"), [("1", 1), ("3", 3), ("", 0), ("many", 0)])
def test_threads_are_as_many_as_the_environment_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    engine = OnnxEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    assert engine._session.get_session_options().intra_op_num_threads == threads
