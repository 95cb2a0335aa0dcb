"""``benchmarks/msda_gpu.py`` as a user runs it: on the emulation, and on a GPU if there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cuda_emulation
import pytest
from cuda_device import gpu_reason

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "msda_gpu.py"

needs_compiler = pytest.mark.skipif(
    cuda_emulation.compiler() is None, reason="no g++ to compile the emulated kernels with"
)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory, msda_library: Path) -> tuple[object, ...]:
    """Arguments for a small image on the emulated GPU."""
    folder = tmp_path_factory.mktemp("cuda")
    libraries = ("--library", cuda_emulation.compile_kernels(folder), "--cpu-library", msda_library)
    driver = ("--driver", cuda_emulation.compile_driver(folder))
    return (*libraries, *driver, "--height", 16, "--width", 16, "--repeat", 1)


@needs_compiler
def test_checks_measures_and_writes(emulated: tuple[object, ...], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    finished = run(*emulated, "--json", path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("right") == 18 and "WRONG" not in finished.stdout
    report = json.loads(path.read_text())
    kernels = [row for row in report["rows"] if row["operator"] != "torch"]
    assert len(kernels) == 18
    first = kernels[0]
    assert (first["queries"], first["operator"], first["kind"]) == ("7 local", "plain", "float32")
    assert first["forward"] == first["cold_backward"] == 1.0
    # value and output 7 * 256, locations and weights 7 * 8 * 4 * 4 * 3 numbers of 4 bytes
    floor = 4 * (2 * 7 * 256 + 7 * 384) / (2 * 2**30)
    assert first["forward_floor"] == pytest.approx(floor)
    assert list(tmp_path.iterdir()) == [path]


@needs_compiler
def test_wrong_numbers_are_noticed(emulated: tuple[object, ...], tmp_path: Path) -> None:
    sources = Path(shutil.copytree(cuda_emulation.SOURCES, tmp_path / "msda"))
    text = (sources / "msda_cuda.cu").read_text()
    assert text.count("cudaMemsetAsync(job.grad_value, 0,") == 1
    text = text.replace("(job.grad_value, 0,", "(job.grad_value, 0x3f,")
    (sources / "msda_cuda.cu").write_text(text)
    library = cuda_emulation.compile_kernels(tmp_path, sources)
    finished = run(*emulated, "--library", library)
    assert finished.returncode == 1
    assert finished.stdout.count("WRONG") == 18 and "forward" not in finished.stdout


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    finished = run("--driver", tmp_path / "none.so")
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: there is no driver of a GPU here")


@pytest.mark.device
@pytest.mark.skipif(gpu_reason() is not None, reason=str(gpu_reason()))
def test_the_numbers_are_right_on_this_gpu() -> None:
    """At full size, against the CPU's kernels."""
    finished = run("--check")
    assert finished.returncode == 0, finished.stdout + finished.stderr
