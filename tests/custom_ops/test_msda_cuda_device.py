"""The CUDA kernels on a GPU, where there is one: what the emulation cannot show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_device import GpuDevice, gpu_reason
from msda_native import Native, from_bfloat16, level_arrays, to_bfloat16
from msda_twin import Problem, random_problem

SCRIPT = Path(__file__).resolve().parents[2] / "custom_ops" / "build_cuda.py"
SHAPES = ((13, 17), (7, 9), (1, 1))

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(gpu_reason() is not None, reason=str(gpu_reason())),
]


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> GpuDevice:
    folder = tmp_path_factory.mktemp("cuda")
    command = [sys.executable, str(SCRIPT), "--out", str(folder)]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert finished.returncode == 0, finished.stderr
    return GpuDevice(folder / "libmsda_gpu.so")


@pytest.fixture(scope="module")
def cpu(msda_library: Path) -> Native:
    return Native(msda_library)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = max(float(np.abs(expected).max(initial=0.0)), 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


def check(gpu: Native, cpu: Native, p: Problem) -> None:
    for form in ((p.locations, p.weights), (p.references, p.projected)):
        found = gpu.forward(p.value, p.shapes, *form)
        close(found, cpu.forward(p.value, p.shapes, *form), 5e-6)
        gradients = gpu.backward(p.value, p.shapes, *form, p.grad_output)
        expected = cpu.backward(p.value, p.shapes, *form, p.grad_output)
        for ours, theirs in zip(gradients, expected, strict=True):
            close(ours, theirs, 2e-5)


@pytest.mark.parametrize("depth", [1, 3, 4, 8, 16, 20, 32, 40, 64, 256])
@pytest.mark.parametrize("reference_size", [2, 4])
def test_head_widths(gpu: GpuDevice, cpu: Native, depth: int, reference_size: int) -> None:
    check(
        gpu,
        cpu,
        random_problem(
            depth,
            SHAPES,
            batch=2,
            heads=3,
            depth=depth,
            queries=301,
            points=3,
            reference_size=reference_size,
        ),
    )


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("depth", [3, 32, 64])
def test_half_precision_values(gpu: GpuDevice, cpu: Native, kind: str, depth: int) -> None:
    p = random_problem(6, SHAPES, depth=depth, queries=100)
    encode = to_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float16)
    decode = from_bfloat16 if kind == "bfloat16" else lambda a: a.astype(np.float32)
    value, grad_output = encode(p.value), encode(p.grad_output)
    unit = 2.0**-8 if kind == "bfloat16" else 2.0**-11
    form = (p.shapes, p.locations, p.weights)
    exact = cpu.forward(decode(value), *form)
    found = decode(gpu.forward(value, *form))
    np.testing.assert_allclose(found, exact, rtol=1.01 * unit, atol=1e-5)
    for ours, theirs in zip(
        gpu.backward(value, *form, grad_output),
        cpu.backward(value, *form, grad_output),
        strict=True,
    ):
        close(ours, theirs, 2e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -3e38])
def test_places_that_are_nowhere(gpu: GpuDevice, cpu: Native, bad: float) -> None:
    p = random_problem(2, SHAPES, queries=30, depth=32, reference_size=4)
    p.locations[0, 1, 0, :, 0, 1] = bad
    p.references[0, 0, 1] = bad
    p.projected[0, 1, :3] = bad
    check(gpu, cpu, p)


def test_nothing_to_do(gpu: GpuDevice, cpu: Native) -> None:
    check(gpu, cpu, random_problem(0, SHAPES, queries=0))
    check(gpu, cpu, random_problem(0, SHAPES, batch=0))


def test_levels_of_64_bits_and_levels_that_do_not_fit(gpu: GpuDevice, cpu: Native) -> None:
    p = random_problem(7, SHAPES, queries=40, depth=32)
    form = (p.locations, p.weights)
    levels = level_arrays(SHAPES, np.int64)
    expected = cpu.forward(p.value, SHAPES, *form)
    close(gpu.forward(p.value, levels, *form), expected, 5e-6)
    beyond = (levels[0], levels[1] + 1)
    assert np.isnan(gpu.forward(p.value, beyond, *form)).all()
    found = gpu.backward(p.value, beyond, *form, p.grad_output)
    assert np.isnan(found[1]).all() and np.isnan(found[2]).all()


def test_outputs_and_gradients_of_places_are_the_same_every_time(gpu: GpuDevice) -> None:
    """Only the value's gradient is added up in whatever order threads come."""
    p = random_problem(3, SHAPES, queries=500, depth=32)
    form = (p.references, p.projected)
    outputs = [gpu.forward(p.value, p.shapes, *form).tobytes() for _ in range(3)]
    runs = [gpu.backward(p.value, p.shapes, *form, p.grad_output) for _ in range(3)]
    assert len(set(outputs)) == 1
    assert len({run[1].tobytes() for run in runs}) == len({run[2].tobytes() for run in runs}) == 1
    close(runs[0][0], runs[1][0], 1e-5)
