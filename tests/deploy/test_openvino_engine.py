"""ONNX files run with OpenVINO, and what the processor cannot do is one sentence."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from constant_onnx import FOUND, write_constant_onnx
from onnx_sums import ONNX_GRAPH, write_onnx

from focus_detr.deploy import openvino_engine
from focus_detr.deploy.openvino_engine import OpenVinoEngine, offered_precisions
from focus_detr.deploy.openvino_package import first_reason
from focus_detr.deploy.sidecar import read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.process.onednn_cap import CAP_VARIABLE, ISA_VARIABLE

SOURCE = Path(__file__).resolve().parents[2] / "src"
IMAGES = np.arange(6, dtype=np.float32).reshape(1, 3, 1, 2)
SIZES = np.int32([[5, 6]])


class FakeCore:
    """The real one, with other capabilities; remembers the settings of what it compiles."""

    def __init__(self, real: Any, capabilities: list[str]) -> None:
        self.real, self.capabilities = real, capabilities
        self.settings: dict[str, Any] = {}
        self.cap: str | None = None  # of oneDNN's instructions while it compiles

    def get_property(self, device: str, name: str) -> Any:
        if name == "OPTIMIZATION_CAPABILITIES":
            return self.capabilities
        return self.real.get_property(device, name)

    def read_model(self, path: Path) -> Any:
        return self.real.read_model(path)

    def compile_model(self, model: Any, device: str, settings: dict[str, Any]) -> Any:
        self.settings, self.cap = settings, os.environ.get(ISA_VARIABLE)
        return self.real.compile_model(model, device, settings)


@pytest.fixture
def core_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCore]:
    """A function that makes all engines use one core of these capabilities."""

    def make(*capabilities: str) -> FakeCore:
        module = openvino_engine.load_openvino(Path("a.onnx"))
        core = FakeCore(module.Core(), list(capabilities))
        fake = type("Module", (), {"Core": staticmethod(lambda: core)})
        monkeypatch.setattr(openvino_engine, "load_openvino", lambda path="": fake)
        return core

    return make


def test_threads_do_not_mix_their_pictures(tmp_path: Path) -> None:
    engine = OpenVinoEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda shift: engine.run(IMAGES + shift, SIZES)[0], range(200))
        for shift, scores in enumerate(found):
            np.testing.assert_array_equal(scores, IMAGES + shift + 1)


def test_no_result_depends_on_a_picture_and_tokens_are_given(tmp_path: Path) -> None:
    path = write_constant_onnx(tmp_path / "a.onnx", tokens=True)
    engine = OpenVinoEngine(path, read_sidecar(path).graph)
    outputs = engine.run(np.zeros((1, 64, 96, 3), np.uint8), SIZES)
    for found, expected in zip(outputs, FOUND.values(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_reason_is_the_line_that_says_it() -> None:
    told = "Exception from a.cpp:1:\nCheck 'x' failed at b.cpp:2:\nFailed:\nNo such thing.\n\n"
    assert first_reason(RuntimeError(told)) == "No such thing"
    assert first_reason(RuntimeError("Exception from a.cpp:1:\n")) == "Exception from a.cpp:1:"
    assert first_reason(RuntimeError()) == "RuntimeError"


@pytest.mark.parametrize(("precision", "needed"), [("bf16", "BF16"), ("f16", "FP16")])
def test_a_precision_that_the_processor_lacks_is_refused(
    tmp_path: Path, core_with: Callable[..., FakeCore], precision: Any, needed: str
) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    others = {"FP32", "BF16", "FP16", "INT8"} - {needed}
    core_with(*others)
    assert set(offered_precisions()) == {"f32", "bf16", "f16"} - {precision}
    with pytest.raises(FocusDetrError, match=f"does not compute in {precision}.* take f32 instead"):
        OpenVinoEngine(path, ONNX_GRAPH, precision=precision)
    core = core_with("FP32", needed)
    OpenVinoEngine(path, ONNX_GRAPH, precision=precision)
    assert core.settings["INFERENCE_PRECISION_HINT"] == precision


@pytest.mark.parametrize(("variable", "threads"), [("1", 1), ("3", 3), ("", None)])
def test_float32_and_the_threads_of_the_environment_unless_asked_otherwise(
    tmp_path: Path,
    core_with: Callable[..., FakeCore],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    threads: int | None,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    core = core_with("FP32", "BF16")
    OpenVinoEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    assert core.settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert core.settings.get("INFERENCE_NUM_THREADS") == threads


def test_nothing_is_told_to_its_makers_and_the_home_folder_stays_empty(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys\n"
        "calls = []\n"
        "sys.addaudithook(lambda name, told: calls.append(name))\n"
        "from pathlib import Path\n"
        "from focus_detr.deploy.openvino_package import load_openvino\n"
        f"core = load_openvino(Path('a')).Core()\n"
        f"core.compile_model(core.read_model({str(path)!r}), 'CPU')\n"
        "sys.exit('openvino_telemetry' in sys.modules or 'socket.connect' in calls)\n"
    )
    environment = {"HOME": str(home), "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 0
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("ours", "seen"), [("AVX2", None), ("SSE41", "AVX2")])
def test_only_a_user_s_limit_reaches_openvino(
    tmp_path: Path,
    core_with: Callable[..., FakeCore],
    monkeypatch: pytest.MonkeyPatch,
    ours: str,
    seen: str | None,
) -> None:
    monkeypatch.setenv(CAP_VARIABLE, ours)
    monkeypatch.setenv(ISA_VARIABLE, "AVX2")
    core = core_with("FP32")
    OpenVinoEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    assert core.cap == seen
    assert os.environ[ISA_VARIABLE] == "AVX2"


class SignalStack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def signal_stack() -> tuple[int | None, int, int]:
    """Where signals of this thread run."""
    found = SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found)) == 0
    return found.start, found.flags, found.size


def test_signals_of_the_main_thread_run_where_they_did(tmp_path: Path) -> None:
    """Otherwise Ctrl-C after the engine is gone would be a segmentation fault."""
    before = signal_stack()
    engine = OpenVinoEngine(write_onnx(tmp_path / "a.onnx"), ONNX_GRAPH)
    engine.run(IMAGES, SIZES)
    assert signal_stack() == before
