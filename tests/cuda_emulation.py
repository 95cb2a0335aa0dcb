"""Compiles the CUDA sources with g++ for the emulation on a CPU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from msda_native import Native

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "custom_ops" / "msda"
EMULATOR = Path(__file__).parent / "custom_ops" / "cuda" / "emulator"
UNITS = ("msda_cuda.cu", "mindspore_entry.cc")
VECTOR_ATOMICS, SCALAR_ATOMICS = 9, 8  # compute capabilities that take different kernels
# tensors are read as vectors of other types; contraction as on no particular processor
FLAGS = ("-std=c++17", "-O1", "-fno-strict-aliasing", "-ffp-contract=off", "-fPIC", "-shared")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")


def compiler() -> str | None:
    """Path of g++, None where there is none."""
    return shutil.which("g++")


def compile_kernels(folder: Path, sources: Path = SOURCES, flags: tuple[str, ...] = ()) -> Path:
    """Compile the whole CUDA library of ``sources`` into ``folder``, for a CPU."""
    library = folder / "libmsda_cuda_emulated.so"
    units = [str(sources / unit) for unit in UNITS]
    command = [str(compiler()), *FLAGS, *WARNINGS, *flags, f"-I{EMULATOR}", f"-I{sources}"]
    command += ["-x", "c++", *units, str(EMULATOR / "emulator.cc"), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return library


class EmulatedDevice(Native):
    """The library on an emulated device of a compute capability."""

    def __init__(self, library: Path, capability: int = VECTOR_ATOMICS) -> None:
        super().__init__(library)
        self.native.set_capability_major(capability)


def compile_driver(folder: Path) -> Path:
    """Compile a driver whose GPU is the emulation."""
    library = folder / "libcuda_emulated.so"
    source = EMULATOR.parent / "fake_driver.cc"
    command = [str(compiler()), *FLAGS, *WARNINGS, str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return library
