"""The emulator finds what a device would punish: faults put into the kernels are reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ascend_emulation import OPERATORS, EmulatedKernels, compile_kernels, compiler

# file, text, its replacement, what the emulator must say
FAULTS = (
    ("rows.h", "        arrived_.Wait(half);\n", "", "race: pipe V reads what pipe MTE2"),
    ("samples.h", "1 + (bits & 1)", "2", "global tensor: access beyond the end"),
    ("samples.h", "        Join<AscendC::HardEvent::V_S>(pipe_);", ";", "race: pipe S reads what"),
    (
        "samples.h",
        "        AscendC::Mul(bottom, attention_, y_, count_);\n        VectorBarrier();\n",
        "        AscendC::Mul(bottom, attention_, y_, count_);\n",
        "race: pipe V reads what pipe V",
    ),
    ("rows.h", "item * plan_->samplePitch", "item * plan_->samples", "not 32-byte aligned"),
    ("forward.h", "        rows_.Finish();\n", "", "an event is still set"),
    ("forward.h", "        input_.Release(input);\n", "", "queue: no free buffer"),
    ("scatter.h", "        sent_.Wait(half);\n        for", "        for", "event set twice"),
    ("forward.h", "pipe->InitBuffer(sums_, plan.f", "pipe->InitBuffer(sums_, 9 * plan.f", "bytes"),
)


def _run(library: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = ((2, 2), (1, 1))
    value = rng.normal(size=(1, 5, 1, 8)).astype(np.float32)
    locations = rng.uniform(0.2, 1.0, (1, 40, 1, 2, 2, 2)).astype(np.float32)
    weights = np.ones((1, 40, 1, 2, 2), np.float32)
    kernels = EmulatedKernels(library, cores=1, buffer_bytes=24_000)
    kernels.forward(value, shapes, locations, weights)
    kernels.backward(value, shapes, locations, weights, np.ones((1, 40, 8), np.float32))


def test_nothing_to_report_without_a_fault(library: Path) -> None:
    _run(library)


@pytest.mark.skipif(compiler() is None, reason="no g++ to compile the emulated kernels with")
@pytest.mark.parametrize(("file", "text", "replacement", "complaint"), FAULTS)
def test_fault_is_found(
    file: str, text: str, replacement: str, complaint: str, tmp_path: Path
) -> None:
    shutil.copytree(OPERATORS, tmp_path / "ascend")
    source = tmp_path / "ascend" / "op_kernel" / f"focus_detr_msda_{file}"
    original = source.read_text()
    assert original.count(text) == 1
    source.write_text(original.replace(text, replacement))
    faulty = compile_kernels(tmp_path, tmp_path / "ascend", ("-O0", "-DONLY_FLOAT32"))
    with pytest.raises(RuntimeError, match=complaint):
        _run(faulty)
