"""The CUDA library on a real GPU, called with NumPy arrays."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from msda_native import Native, Sizes
from script_module import load_script

DRIVER = Path(__file__).resolve().parents[1] / "benchmarks" / "cuda_driver.py"
NVCC = "/usr/local/cuda/bin/nvcc"  # where the PATH has none


def _driver() -> ModuleType:
    return load_script(DRIVER)


def gpu_reason() -> str | None:
    """Why the kernels cannot be run on a GPU here; None if they can."""
    driver = _driver()
    try:
        driver.Gpu()
    except driver.CudaError as error:
        return str(error)
    return nvcc_reason()


def nvcc_reason() -> str | None:
    """Why nothing can be compiled for a GPU here; None if it can."""
    if not (shutil.which("nvcc") or shutil.which(NVCC)):
        return "no nvcc to compile the CUDA kernels with"
    if not (shutil.which("g++") or os.environ.get("NVCC_CCBIN")):
        return "no g++ for nvcc to compile the CUDA kernels with"
    return None


class GpuDevice(Native):
    """Copies arrays to the GPU, calls, and copies results back."""

    def __init__(self, library: Path) -> None:
        super().__init__(library)
        self._gpu = _driver().Gpu()

    def _status(
        self, name: str, sizes: Sizes, inputs: Sequence[np.ndarray], others: Sequence[np.ndarray]
    ) -> int:
        buffers = [self._gpu.upload(array) for array in (*inputs, *others)]
        addresses = [ctypes.c_void_p(buffer.address) for buffer in buffers]
        status = getattr(self.native, name)(ctypes.byref(sizes), *addresses, self._gpu.stream)
        if not status:
            for array, buffer in zip(others, buffers[len(inputs) :], strict=True):
                array[...] = self._gpu.download(buffer)
        self._gpu.free_all()
        return status
