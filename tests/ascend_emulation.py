"""Builds the emulated Ascend kernels with g++ and calls them on NumPy arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from msda_native import from_bfloat16, to_bfloat16

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path(__file__).parent / "custom_ops" / "ascend"
OPERATORS = ROOT / "custom_ops" / "ascend"
UNIFIED_BUFFER = 192 * 1024
VALUE_TYPES = {"float32": (0, 4), "float16": (1, 2), "bfloat16": (2, 2)}  # C enum, bytes
FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror")


class Shape(ctypes.Structure):
    """``MsdaShape`` of focus_detr_msda_plan.h."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("batch", "tokens", "heads", "depth")),
        *((name, ctypes.c_uint64) for name in ("queries", "levels", "points")),
        ("value_bytes", ctypes.c_uint32),
    )


class Plan(ctypes.Structure):
    """``MsdaPlan`` of focus_detr_msda_plan.h."""

    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in (
            *("batch", "tokens", "heads", "depth", "queries", "levels", "points", "samples"),
            *("sample_pitch", "depth_pitch", "fetch_samples", "tile_items", "tile_samples"),
            *("items", "items_per_core", "cores"),
        )
    )


def compiler() -> str | None:
    """Path of g++, None where there is none."""
    return shutil.which("g++")


def compile_kernels(folder: Path, sources: Path = OPERATORS, flags: tuple[str, ...] = ()) -> Path:
    """Compile the kernels of ``sources`` against the emulator into a library in ``folder``."""
    library = folder / "libascend_emulated.so"
    includes = (SOURCES / "emulator", sources / "op_kernel", sources / "op_host")
    command = [str(compiler()), *FLAGS, *flags, "-ffp-contract=off", "-fPIC", "-shared", "-pthread"]
    command += [f"-I{path}" for path in includes]
    command += [str(SOURCES / "kernels.cpp"), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return library


def to_bits(values: np.ndarray, kind: str) -> np.ndarray:
    """Values as an array in the memory format of ``kind``."""
    return to_bfloat16(values) if kind == "bfloat16" else np.ascontiguousarray(values, kind)


def from_bits(bits: np.ndarray, kind: str) -> np.ndarray:
    """The inverse of ``to_bits``: float32."""
    return from_bfloat16(bits) if kind == "bfloat16" else bits.astype(np.float32)


class EmulatedKernels:
    """The two operators on ``cores`` emulated cores."""

    def __init__(self, library: Path, cores: int = 3, buffer_bytes: int = UNIFIED_BUFFER) -> None:
        self.native, self.cores = ctypes.CDLL(str(library)), cores
        self.native.buffer_bytes.restype = ctypes.c_uint64
        self.buffer_bytes = buffer_bytes
        self.used_bytes = 0

    def plan(self, shape: Shape, backward: bool, cores: int) -> Plan | None:
        """The division of work, None if the shape cannot be done."""
        plan, most = Plan(), ctypes.c_uint64(self.buffer_bytes)
        made = self.native.make_plan(
            ctypes.byref(shape), int(backward), cores, most, ctypes.byref(plan)
        )
        return plan if made else None

    def plan_bytes(self, plan: Plan, value_bytes: int, backward: bool) -> int:
        """Bytes of unified buffer that a plan takes."""
        return int(self.native.buffer_bytes(ctypes.byref(plan), value_bytes, int(backward)))

    def forward(
        self,
        value: np.ndarray,
        shapes: tuple[tuple[int, int], ...],
        locations: np.ndarray,
        weights: np.ndarray,
        kind: str = "float32",
    ) -> np.ndarray:
        """Output [B, Q, C] as float32; arguments as ``msda_twin.sample``."""
        output = to_bits(np.full((*locations.shape[:3], value.shape[3]), np.nan), kind)
        arrays = [*_inputs(value, shapes, locations, weights, kind), output]
        self._call("emulate_forward", _shape(value, locations, kind), kind, arrays)
        return from_bits(output, kind).reshape(
            *locations.shape[:2], value.shape[2] * value.shape[3]
        )

    def backward(
        self,
        value: np.ndarray,
        shapes: tuple[tuple[int, int], ...],
        locations: np.ndarray,
        weights: np.ndarray,
        grad_output: np.ndarray,
        kind: str = "float32",
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradients of value, locations and weights, float32."""
        gradients = tuple(np.full(x.shape, np.nan, np.float32) for x in (value, locations, weights))
        arrays = [*_inputs(value, shapes, locations, weights, kind), to_bits(grad_output, kind)]
        self._call("emulate_backward", _shape(value, locations, kind), kind, [*arrays, *gradients])
        return gradients

    def _call(self, name: str, shape: Shape, kind: str, arrays: list[np.ndarray]) -> None:
        addresses = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
        complaint = ctypes.create_string_buffer(512)
        used = getattr(self.native, name)(
            ctypes.byref(shape),
            VALUE_TYPES[kind][0],
            self.cores,
            ctypes.c_uint64(self.buffer_bytes),
            addresses,
            complaint,
            ctypes.c_size_t(len(complaint)),
        )
        if used < 0:
            raise RuntimeError(complaint.value.decode())
        self.used_bytes = used


def _shape(value: np.ndarray, locations: np.ndarray, kind: str) -> Shape:
    _, queries, _, levels, points, _ = locations.shape
    return Shape(*value.shape, queries, levels, points, VALUE_TYPES[kind][1])


def _inputs(
    value: np.ndarray,
    shapes: tuple[tuple[int, int], ...],
    locations: np.ndarray,
    weights: np.ndarray,
    kind: str,
) -> list[np.ndarray]:
    tokens = [rows * columns for rows, columns in shapes]
    starts = np.cumsum([0, *tokens[:-1]]).astype(np.int32)
    return [
        to_bits(value, kind),
        np.array(shapes, np.int32),
        starts,
        np.ascontiguousarray(locations, np.float32),
        np.ascontiguousarray(weights, np.float32),
    ]
