"""ONNX files run with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_sums import ONNX_GRAPH, write_onnx

from focus_detr.deploy.onnx_engine import OnnxEngine


@pytest.mark.parametrize(("variable", "threads"), [("1", 1), ("3", 3), ("", 0), ("many", 0)])
def test_threads_are_as_many_as_the_environment_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    engine = OnnxEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    assert engine._session.get_session_options().intra_op_num_threads == threads
