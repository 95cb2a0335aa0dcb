"""Which engine runs a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exported_files import GRAPH

from focus_detr.deploy import engine_options
from focus_detr.deploy.engine_options import EngineOptions, installed_engines
from focus_detr.errors import FocusDetrError

ONNX_GRAPH = replace(GRAPH, engine="onnx")
PATH = Path("a.onnx")


@pytest.fixture
def only_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_options, "missing_modules", lambda names: ["openvino"])


def test_openvino_runs_onnx_files_where_it_is_installed() -> None:
    assert EngineOptions().engine_of(PATH, ONNX_GRAPH) == "openvino"
    assert EngineOptions("onnxruntime").engine_of(PATH, ONNX_GRAPH) == "onnxruntime"
    assert installed_engines() == ("openvino", "onnxruntime")


@pytest.mark.usefixtures("only_onnx_runtime")
def test_elsewhere_onnx_runtime_does_unless_openvino_is_asked_for() -> None:
    assert EngineOptions().engine_of(PATH, ONNX_GRAPH) == "onnxruntime"
    assert EngineOptions(precision="f32").engine_of(PATH, ONNX_GRAPH) == "openvino"
    assert EngineOptions(graphs="kept").engine_of(PATH, ONNX_GRAPH) == "openvino"
    assert installed_engines() == ("onnxruntime",)


@pytest.mark.parametrize(("kind", "name"), [("mindspore", "MindSpore"), ("lite", "MindSpore Lite")])
def test_other_files_have_one_engine(kind: Any, name: str) -> None:
    graph = replace(GRAPH, engine=kind)
    assert EngineOptions().engine_of(Path("a.mindir"), graph) == kind
    with pytest.raises(FocusDetrError, match=f"a.mindir runs with {name} as it is; leave it out"):
        EngineOptions("onnxruntime").engine_of(Path("a.mindir"), graph)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"engine": "tensorrt"}, "unknown engine tensorrt, expected one of openvino, onnxruntime"),
        ({"precision": "int8"}, "unknown precision int8, expected one of f32, bf16, f16"),
        (
            {"engine": "onnxruntime", "precision": "bf16"},
            "--precision bf16 is for OpenVINO: leave it out, or choose --engine openvino",
        ),
        ({"engine": "onnxruntime", "graphs": "kept"}, "--graphs kept is for OpenVINO"),
        ({"graphs": ""}, "the folder of --graphs has an empty name"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(FocusDetrError, match=message):
        EngineOptions(**given)
