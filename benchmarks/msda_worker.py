"""One implementation of deformable sampling in a process of its own, for its memory's sake."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from process_memory import linux_bytes

FORWARD, BACKWARD = PASSES = ("forward", "forward and backward")
UNIFORM, LOCAL = "900 uniform queries", "8911 local queries"
CASES = {UNIFORM: 900, LOCAL: 8911}
LIMIT = "plain gather loop"
IMPLEMENTATIONS = (
    "grid_sample composition",
    "row gather composition",
    "custom operator",
    "custom operator, fused",
)
WARM_SECONDS = 0.5  # a process that has slept needs some calls to get its memory and threads back
ROOT = Path(__file__).resolve().parents[1]
LIMIT_FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")

_calls: dict[str, Callable[[], object]] = {}  # of this process


class Worker:
    """A process that holds one implementation; runs only when asked."""

    def __init__(self) -> None:
        # read when MindSpore loads; its grid_sample writes lines about errors that are none
        os.environ.update(GLOG_v="4")
        self._pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))

    def __enter__(self) -> Worker:
        """The worker itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._pool.shutdown()

    def start(self, implementation: str, queries: str, device: str) -> dict[str, int]:
        """Compile every pass; returns by how many bytes the process grew at most in each."""
        return self._pool.submit(_start, implementation, queries, device).result()

    def seconds(self, name: str) -> float:
        """Run a pass once."""
        return self._pool.submit(_seconds, name).result()


def _start(implementation: str, queries: str, device: str) -> dict[str, int]:
    from focus_detr.process.runtime import prepare_runtime

    prepare_runtime(device)
    calls = _limit_calls(queries) if implementation == LIMIT else _calls_of(implementation, queries)
    before, grown = linux_bytes("VmRSS"), {}
    for name, call in calls.items():
        call()
        grown[name] = linux_bytes("VmHWM") - before
        call()  # the second call of a graph is the first that only runs
    _calls.update(calls)
    return grown


def _seconds(name: str) -> float:
    import mindspore as ms

    def run() -> float:
        begin = time.perf_counter()
        _calls[name]()
        if ms.get_context("device_target") != "CPU":  # there a graph has run when its call returns
            ms.runtime.synchronize()
        return time.perf_counter() - begin

    warm = run()
    while warm < WARM_SECONDS:
        warm += run()
    return run()


def _calls_of(implementation: str, queries: str) -> dict[str, Callable[[], object]]:
    import mindspore as ms
    from mindspore import Tensor, nn, ops
    from msda_cases import DEPTH, HEADS, SHAPES, make_inputs

    inputs = make_inputs(queries).tensors()

    class Sampled(nn.Cell):
        """The output alone."""

        def __init__(self, sampling: nn.Cell) -> None:
            super().__init__()
            self.sampling = sampling

        def construct(self, value: Tensor, references: Tensor, projected: Tensor) -> Tensor:
            return self.sampling(value, SHAPES, references, projected)

    class Differentiated(nn.Cell):
        """Output and gradients; called as a cell, a graph has run when the call returns."""

        def __init__(self, cell: nn.Cell) -> None:
            super().__init__()
            self.cell = cell

        def construct(
            self, value: Tensor, references: Tensor, projected: Tensor, grad_output: Tensor
        ) -> tuple:
            output, pull_back = ops.vjp(self.cell, value, references, projected)
            return output, pull_back(grad_output)

    cell = Sampled(_sampling(implementation))
    step = Differentiated(cell)
    size = (1, CASES[queries], HEADS * DEPTH)
    grad_output = Tensor(np.random.default_rng(1).normal(size=size), ms.float32)
    return {FORWARD: lambda: cell(*inputs), BACKWARD: lambda: step(*inputs, grad_output)}


def _sampling(implementation: str) -> Any:
    """The cell of this name."""
    import mindspore as ms
    from msda_cases import GridSampling

    from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
    from focus_detr.ops.msda_custom import CustomSampling, FusedSampling
    from focus_detr.ops.msda_library import find_library

    if implementation == "grid_sample composition":
        return PlacedSampling(GridSampling())
    if implementation == "row gather composition":
        return PlacedSampling(ComposedSampling())
    device = ms.get_context("device_target")
    library = find_library(device)
    if implementation == "custom operator":
        return PlacedSampling(CustomSampling(library, device))
    return FusedSampling(library, device)


def _limit_calls(queries: str) -> dict[str, Callable[[], object]]:
    """The plain loop over the rows that this case reads."""
    from msda_cases import DEPTH, gathered_rows, make_inputs

    inputs = make_inputs(queries)
    rows = gathered_rows(inputs)
    output = np.empty((len(rows), DEPTH), np.float32)
    function = _compiled_limit().gather_limit
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (inputs.value, rows, output)]
    sizes = [ctypes.c_int64(size) for size in rows.shape]

    def run() -> np.ndarray:
        function(*pointers[:2], *sizes, pointers[2])
        return inputs.value  # the pointers need their arrays

    return {FORWARD: run}


def _compiled_limit() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "gather_limit.so"
        source = Path(__file__).with_name("gather_limit.cc")
        compiler = _builder().find_compiler()
        subprocess.run([*compiler, *LIMIT_FLAGS, str(source), "-o", str(library)], check=True)
        return ctypes.CDLL(str(library))


def _builder() -> ModuleType:
    """``custom_ops/build.py``."""
    spec = importlib.util.spec_from_file_location("msda_build", ROOT / "custom_ops" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
