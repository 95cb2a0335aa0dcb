"""``benchmarks/deploy.py`` and ``benchmarks/soak.py`` as a user runs them, on the small network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_runs import refusal, run_benchmark
from constant_onnx import write_constant_onnx


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_constant_onnx(tmp_path / "a.onnx")


def test_a_model_is_timed_with_each_engine(model: Path, tmp_path: Path) -> None:
    saved = tmp_path / "deploy.json"
    size = ("--size", "64x96", "--repeat", 3)
    finished = run_benchmark("deploy.py", "--model", model, *size, "--json", saved)
    assert finished.returncode == 0, finished.stderr
    everything = json.loads(saved.read_text())
    assert [item["variant"] for item in everything[:2]] == [
        "a.onnx: onnxruntime",
        "a.onnx: openvino f32",
    ]
    measured = everything[-1]
    assert measured["batch"] == 1
    assert len(measured["seconds"]) == 3 and min(measured["seconds"]) > 0
    assert measured["first_seconds"] > max(measured["seconds"])
    assert measured["peak_bytes"] > 50e6
    row = finished.stdout.splitlines()[-1].rsplit(maxsplit=5)
    middle = sorted(measured["seconds"])[1]
    assert row[0] == f"{measured['variant']}"
    assert float(row[3]) == pytest.approx(1e3 * middle, abs=0.051)
    assert float(row[4]) == pytest.approx(1 / middle, rel=0.01, abs=0.051)


def test_bad_arguments_are_one_sentence(model: Path) -> None:
    for arguments, message in (
        ([], "give --checkpoint, --model, or both"),
        (["--model", model, "--batch=0"], "--batch is 0, expected 1 or more"),
        (["--model", model, "--device=Ascend"], "a.onnx: onnxruntime failed: "),
    ):
        assert message in refusal("deploy.py", *arguments)


def test_no_frame_is_lost_and_memory_stays_flat(model: Path) -> None:
    arguments = ("--model", model, "--frames", 400, "--size", "48x64", "--engine", "openvino")
    numbers = model.parent / "soak.json"
    finished = run_benchmark("soak.py", *arguments, "--json", numbers)
    assert finished.returncode == 0, finished.stderr
    assert "400 detections in 400 frames at " in finished.stdout
    assert "\n400 frames: " in f"\n{finished.stdout}"
    written = json.loads(numbers.read_text())
    assert (written["images"], len(written["megabytes"])) == (400, 10)
    finished = run_benchmark("soak.py", *arguments, "--allowed=-1000")
    assert finished.returncode == 2 and "memory grew by" in finished.stderr
