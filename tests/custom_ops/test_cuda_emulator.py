"""The emulation of CUDA finds faults that are put into the kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cuda_emulation
import pytest
from cuda_emulation import SOURCES, compile_kernels

TESTS = Path(__file__).resolve().parents[1]

# In a process of its own, as a fault may also write anywhere.
COMPARISON = """
import sys
from pathlib import Path
import numpy as np
from cuda_emulation import EmulatedDevice
from msda_gradient_twin import sample_gradients
from msda_twin import random_problem, sample
device = EmulatedDevice(Path(sys.argv[1]))
p = random_problem(3, ((3, 5), (1, 1)), depth=16, queries=45, points=3)
inputs = (p.value, p.shapes, p.locations, p.weights)
np.testing.assert_allclose(device.forward(*inputs), sample(*inputs), atol=1e-4)
exact = sample_gradients(*inputs, p.grad_output)
for ours, theirs in zip(device.backward(*inputs, p.grad_output), exact, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
"""

# file, text, its replacement: barriers, threads that part, places of records and additions
FAULTS = (
    ("cuda_forward.cuh", "    __syncwarp();\n    const int count", "    const int count"),
    ("cuda_forward.cuh", "    __syncwarp();\n  }\n", "  }\n"),
    ("cuda_backward.cuh", "    __syncwarp();\n    ScatterRecords", "    ScatterRecords"),
    ("cuda_backward.cuh", "if (!team.warp_works) return;", "if (!team.works) return;"),
    ("cuda_backward.cuh", "team.works ? weight : 0.0f", "weight"),
    ("cuda_levels.cuh", "return __syncthreads_and(right);", "return right;"),
    ("cuda_team.cuh", "return i * kTeams + place;", "return i * LANES + place;"),
)

pytestmark = pytest.mark.skipif(
    cuda_emulation.compiler() is None, reason="no g++ to compile the emulated kernels with"
)


def compare(library: Path) -> bool:
    """Whether the kernels of a library compute what float64 does."""
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", COMPARISON, str(library)]
    finished = subprocess.run(command, capture_output=True, env=environment, check=False)
    return finished.returncode == 0


def test_nothing_is_found_without_a_fault(tmp_path: Path) -> None:
    """No undefined behaviour either, such as misaligned vectors: that would end the process."""
    flags = ("-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    assert compare(compile_kernels(tmp_path, flags=flags))


@pytest.mark.parametrize(("file", "text", "replacement"), FAULTS)
def test_a_fault_is_found(tmp_path: Path, file: str, text: str, replacement: str) -> None:
    sources = Path(shutil.copytree(SOURCES, tmp_path / "msda"))
    original = (sources / file).read_text()
    assert original.count(text) == 1
    (sources / file).write_text(original.replace(text, replacement))
    assert not compare(compile_kernels(tmp_path, sources, ("-O0", "-Wno-error")))
