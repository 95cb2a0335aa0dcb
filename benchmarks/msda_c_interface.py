"""Calls of ``custom_ops/msda/msda.h`` on arrays of the host or, in a GPU's library, buffers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cuda_driver import Buffer, Gpu
from msda_gpu_cases import Case

FLOAT32, FLOAT16, BFLOAT16 = KINDS = ("float32", "float16", "bfloat16")
VALUE_BYTES = {FLOAT32: 4, FLOAT16: 2, BFLOAT16: 2}
HALF_UNITS = {FLOAT32: 0.0, FLOAT16: 2.0**-11, BFLOAT16: 2.0**-8}  # largest relative rounding


class StatusError(Exception):
    """A function returned a status other than 0."""


class Sizes(ctypes.Structure):
    """``msda_sizes``."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "tokens", "heads", "depth")),
        *((name, ctypes.c_int64) for name in ("queries", "levels", "points")),
        *((name, ctypes.c_int32) for name in ("value_type", "index_type", "reference_size")),
    )


def encode(array: np.ndarray, kind: str) -> np.ndarray:
    """Float32 numbers rounded to a type of value; bfloat16 as its bits."""
    if kind != BFLOAT16:
        return array.astype(kind)
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def decode(array: np.ndarray, kind: str) -> np.ndarray:
    """The inverse of ``encode``."""
    if kind != BFLOAT16:
        return array.astype(np.float32)
    return (array.astype(np.uint32) << 16).view(np.float32)


def levels(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Shapes [L, 2] and first tokens [L], int32."""
    shapes = np.array(case.shapes, np.int32)
    starts = np.cumsum([0, *shapes.prod(1)[:-1]]).astype(np.int32)
    return shapes, starts


class Library:
    """The functions of a library, CPU or GPU."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def call(
        self,
        backward: bool,
        fused: bool,
        sizes: Sizes,
        addresses: Sequence[int],
        stream: ctypes.c_void_p | None = None,
    ) -> None:
        """One of the four functions.

        Raises:
            StatusError: it did not return 0.
        """
        name = f"msda_{'fused_' if fused else ''}{'backward' if backward else 'forward'}"
        pointers = [ctypes.c_void_p(address) for address in addresses]
        status = getattr(self._library, name)(ctypes.byref(sizes), *pointers, stream)
        if status:
            raise StatusError(f"{name} returned status {status}")


def sizes_of(case: Case, kind: str) -> Sizes:
    """Of a case with a type of value."""
    _, queries, _, count, points = case.weights.shape
    return Sizes(*case.value.shape, queries, count, points, KINDS.index(kind), 0, 2)


class HostRun:
    """Results of the CPU's library for values of a type, in float32."""

    def __init__(self, library: Library, case: Case, fused: bool, kind: str) -> None:
        value, grad_output = (
            decode(encode(tensor, kind), kind) for tensor in (case.value, case.grad_output)
        )
        inputs = [value, *levels(case), *case.operands(fused)]
        self.output = np.empty_like(grad_output)
        self.gradients = [np.empty_like(x) for x in (value, *case.operands(fused))]
        sizes = sizes_of(case, FLOAT32)
        library.call(False, fused, sizes, _addresses(*inputs, self.output))
        library.call(True, fused, sizes, _addresses(*inputs, grad_output, *self.gradients))


def _addresses(*arrays: np.ndarray) -> list[int]:
    return [array.ctypes.data for array in arrays]


class DeviceRun:
    """A case on the GPU, ready to be called again and again."""

    def __init__(self, library: Library, gpu: Gpu, case: Case, fused: bool, kind: str) -> None:
        self.native, self.gpu, self.fused, self.kind = library, gpu, fused, kind
        self.sizes = sizes_of(case, kind)
        operands = case.operands(fused)
        grad_output = encode(case.grad_output, kind)
        arrays = (encode(case.value, kind), *levels(case), *operands)
        self.inputs = [gpu.upload(array) for array in arrays]
        self.grad_output = gpu.upload(grad_output)
        self._output = gpu.empty(grad_output.shape, grad_output.dtype)
        shapes = [tensor.shape for tensor in (case.value, *operands)]
        self._gradients = [gpu.empty(shape, np.float32) for shape in shapes]

    def forward(self) -> None:
        """Put one forward call into the stream."""
        self._call(False, (*self.inputs, self._output))

    def backward(self) -> None:
        """Put one backward call into the stream."""
        self._call(True, (*self.inputs, self.grad_output, *self._gradients))

    def _call(self, backward: bool, buffers: Sequence[Buffer]) -> None:
        addresses = [buffer.address for buffer in buffers]
        self.native.call(backward, self.fused, self.sizes, addresses, self.gpu.stream)

    def output(self) -> np.ndarray:
        """Of the last forward call, float32."""
        return decode(self.gpu.download(self._output), self.kind)

    def gradients(self) -> list[np.ndarray]:
        """Of the last backward call: of value, places and weights."""
        return [self.gpu.download(buffer) for buffer in self._gradients]
