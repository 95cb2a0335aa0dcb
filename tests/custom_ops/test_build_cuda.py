"""``custom_ops/build_cuda.py``: with this machine's nvcc, with one of CUDA 11, and without any."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cuda_device import nvcc_reason
from msda_native import Native, NativeError
from msda_twin import random_problem

from focus_detr.ops.msda_library import LIBRARY_VARIABLE, find_library

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "custom_ops" / "build_cuda.py"
LIBRARY = "libmsda_gpu.so"
DEVICE_ERROR = 8

needs_nvcc = pytest.mark.skipif(nvcc_reason() is not None, reason=str(nvcc_reason()))


def has_gpu() -> bool:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return driver.cuInit(0) == 0


def run_build(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")} | environment
    command = [sys.executable, str(SCRIPT), "--out", str(folder / "out"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both kinds of code: without and with vector atomics."""
    folder = tmp_path_factory.mktemp("cuda")
    finished = run_build(folder, "--arch", "75", "--arch", "90")
    assert finished.returncode == 0, finished.stderr
    return folder / "out" / LIBRARY


@needs_nvcc
def test_the_package_accepts_what_nvcc_builds(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, str(library))
    assert find_library("GPU") == library.resolve()
    assert Native(library).variant == "cuda"


@needs_nvcc
def test_the_cuda_runtime_is_linked_in_and_hidden(library: Path) -> None:
    """Another version of it, MindSpore's, lives in the same process."""
    assert not hasattr(ctypes.CDLL(str(library)), "cudaLaunchKernel")
    assert b"libcudart.so" not in library.read_bytes()


@needs_nvcc
@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_without_a_gpu_a_call_returns_an_error(library: Path) -> None:
    p = random_problem(0, ((2, 2),), depth=8)
    native = Native(library)
    with pytest.raises(NativeError) as caught:
        native.forward(p.value, p.shapes, p.locations, p.weights)
    assert caught.value.args == (DEVICE_ERROR,)
    with pytest.raises(NativeError) as caught:
        native.backward(p.value, p.shapes, p.references, p.projected, p.grad_output)
    assert caught.value.args == (DEVICE_ERROR,)


def fake_nvcc(folder: Path, *known: int) -> Path:
    """An nvcc for some compute capabilities that writes its arguments instead of a library."""
    path = folder / "nvcc"
    listing = "\\n".join(f"compute_{number}" for number in known)
    path.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --list-gpu-arch) printf "{listing}\\n"; exit;; --version) exit;; esac\n'
        'echo called >>"$LOG"; all="$*"\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'echo "$all" >"$2"\n'
    )
    path.chmod(0o755)
    return path


def test_cuda_11_gets_the_architectures_that_it_knows(tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"NVCC": str(fake_nvcc(tmp_path, 35, 70, 75, 80, 86, 87)), "LOG": str(log)}
    for _ in range(2):  # the second build finds the first one's library
        assert run_build(tmp_path, **settings).returncode == 0
    assert log.read_text().splitlines() == ["called"]
    written = (tmp_path / "out" / LIBRARY).read_text().split()
    codes = [flag.split(",code=")[1] for flag in written if flag.startswith("-gencode")]
    assert codes == ["sm_70", "sm_75", "sm_80", "sm_86", "compute_86"]


def test_the_other_build_script_leads_here(tmp_path: Path) -> None:
    log, folder = tmp_path / "log", tmp_path / "out"
    command = [sys.executable, str(SCRIPT.with_name("build.py")), "--target", "cuda"]
    environment = {"NVCC": str(fake_nvcc(tmp_path, 80)), "LOG": str(log)}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    subprocess.run([*command, "--out", str(folder)], env=os.environ | environment, check=True)
    assert [path.name for path in folder.iterdir()] == [LIBRARY]


@pytest.mark.parametrize(
    ("known", "reason"), [((), "knows none of"), ((30, 120), "knows none of"), (None, "no nvcc")]
)
def test_a_compiler_that_cannot_is_refused(
    tmp_path: Path, known: tuple[int, ...] | None, reason: str
) -> None:
    nvcc = tmp_path / "none" if known is None else fake_nvcc(tmp_path, *known)
    finished = run_build(tmp_path, NVCC=str(nvcc))
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ") and reason in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
