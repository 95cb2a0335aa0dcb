"""What can be done, depending on what is here."""

from __future__ import annotations

import shutil

import pytest

from focus_detr.deploy import engine_options
from focus_detr.doctor import tasks
from focus_detr.doctor.devices import Devices, without_mindspore
from focus_detr.doctor.tasks import Task, judge
from focus_detr.process.requirements import Package

WORKING = Devices({"CPU": 1}, {}, "CPU", None)


@pytest.fixture(autouse=True)
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All optional packages and commands are here."""
    monkeypatch.setattr(tasks, "missing_modules", lambda names: [])
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")


def _judged(*broken: str, devices: Devices = WORKING) -> dict[str, Task]:
    core = [
        Package(name, None, "it is not installed", f"{name}<2")
        if name in broken
        else Package(name, "1")
        for name in ("mindspore", "numpy", "scipy")
    ]
    return {task.name: task for task in judge(core, devices)}


def test_with_everything_here_all_works() -> None:
    assert all(task.works and task.advice is None for task in _judged().values())


def test_without_mindspore_exported_onnx_files_still_work() -> None:
    judged = _judged("mindspore", "scipy")
    assert judged["train, evaluate, detect"].missing == ("mindspore", "scipy")
    assert judged["train, evaluate, detect"].advice == "pip install 'mindspore<2' 'scipy<2'"
    assert judged["detect with ONNX files"].works
    assert not judged["export to ONNX"].works


def test_a_mindspore_that_does_not_start_counts_as_missing() -> None:
    judged = _judged(devices=without_mindspore("no"))
    assert judged["train, evaluate, detect"].missing == ("mindspore",)
    assert judged["train, evaluate, detect"].advice is None


def test_without_numpy_nothing_that_detects_works() -> None:
    judged = _judged("numpy")
    assert {name for name, task in judged.items() if task.works} == {"curves of a run"}


def test_an_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("starlette", "uvicorn")
    monkeypatch.setattr(tasks, "missing_modules", lambda names: [n for n in names if n not in here])
    judged = _judged()
    assert judged["export to ONNX"].missing == ("onnx", "onnxruntime")
    assert judged["the same with OpenVINO"].advice == "pip install -e '.[openvino]'"
    assert judged["export to ONNX"].advice == "pip install -e '.[onnx]'"
    assert judged["web page (demo)"].works


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_one_engine_is_enough_for_onnx_files(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    here = (engine, "onnx")
    monkeypatch.setattr(tasks, "missing_modules", lambda names: [n for n in names if n not in here])
    judged = _judged()
    assert judged["detect with ONNX files"].works and judged["export to ONNX"].works
    assert judged["the same with OpenVINO"].works is (engine == "openvino")


def test_the_engines_are_those_that_can_be_chosen() -> None:
    assert tasks.ENGINES == engine_options.ENGINES
