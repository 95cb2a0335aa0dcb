"""ONNX Runtime is optional, and what it cannot read is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from focus_detr.deploy.onnx_engine import OnnxEngine
from focus_detr.errors import FocusDetrError


def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FocusDetrError, match=r"pip install 'focus-detr\[onnx\]'"):
        OnnxEngine(Path("a.onnx"))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(FocusDetrError, match=r"ONNX Runtime cannot load .*a\.onnx"):
        OnnxEngine(tmp_path / "a.onnx")
