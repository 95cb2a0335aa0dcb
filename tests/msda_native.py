"""The native library's C interface on NumPy arrays, without MindSpore."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SIZES = ("batch", "tokens", "heads", "depth", "queries", "levels", "points")
TYPES = ("value_type", "index_type", "reference_size")
VALUE_TYPES = {"float32": 0, "float16": 1, "uint16": 2}  # uint16: the bits of bfloat16


class Sizes(ctypes.Structure):
    """``msda_sizes``."""

    _fields_ = tuple((name, ctypes.c_int64) for name in SIZES) + tuple(
        (name, ctypes.c_int32) for name in TYPES
    )


class NativeError(Exception):
    """A function returned a status other than 0, which is the argument."""


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Bits of the nearest bfloat16, as uint16."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Float32 values of bfloat16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Native:
    """The four functions of ``msda.h``; outputs start as NaN, so that gaps show."""

    def __init__(self, library: Path) -> None:
        self.native = ctypes.CDLL(str(library))
        self.native.msda_variant.restype = ctypes.c_char_p

    @property
    def variant(self) -> str:
        """Which instruction set runs."""
        return self.native.msda_variant().decode()

    def forward(
        self, value: np.ndarray, levels: Sequence, places: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Plain or fused, by the rank of ``weights``; ``levels`` is shapes or (shapes, starts)."""
        name = "msda_forward" if weights.ndim == 5 else "msda_fused_forward"
        batch, _, heads, depth = value.shape
        output = _unset((batch, weights.shape[1], heads * depth), value.dtype)
        self._call(name, value, levels, places, weights, output)
        return output

    def backward(
        self,
        value: np.ndarray,
        levels: Sequence,
        places: np.ndarray,
        weights: np.ndarray,
        grad_output: np.ndarray,
    ) -> list[np.ndarray]:
        """Gradients of value, places and weights."""
        name = "msda_backward" if weights.ndim == 5 else "msda_fused_backward"
        gradients = [_unset(tensor.shape, np.float32) for tensor in (value, places, weights)]
        self._call(name, value, levels, places, weights, grad_output, *gradients)
        return gradients

    def _call(
        self,
        name: str,
        value: np.ndarray,
        levels: Sequence,
        places: np.ndarray,
        weights: np.ndarray,
        *others: np.ndarray,
    ) -> None:
        shapes, starts = levels if isinstance(levels[0], np.ndarray) else level_arrays(levels)
        sizes = sizes_of(value, shapes, places, weights)
        status = self._status(name, sizes, (value, shapes, starts, places, weights), others)
        if status:
            raise NativeError(status)

    def _status(
        self, name: str, sizes: Sizes, inputs: Sequence[np.ndarray], others: Sequence[np.ndarray]
    ) -> int:
        """Call a function, which writes into ``others``."""
        tensors = [np.ascontiguousarray(tensor) for tensor in inputs]
        pointers = [tensor.ctypes.data_as(ctypes.c_void_p) for tensor in (*tensors, *others)]
        return getattr(self.native, name)(ctypes.byref(sizes), *pointers, None)


def level_arrays(shapes: Sequence, dtype: type = np.int32) -> tuple[np.ndarray, np.ndarray]:
    """Sizes [L, 2] and first tokens [L] of levels that follow each other."""
    sizes = np.array(shapes, dtype).reshape(-1, 2)
    return sizes, np.cumsum([0, *sizes.prod(1)[:-1]]).astype(dtype)


def sizes_of(
    value: np.ndarray, shapes: np.ndarray, places: np.ndarray, weights: np.ndarray
) -> Sizes:
    """What the tensors of a call say; plain or fused by the rank of ``weights``."""
    batch, tokens, heads, depth = value.shape
    levels = len(shapes)
    points = weights.shape[4] if weights.ndim == 5 else weights.shape[2] // (3 * heads * levels)
    counts = (batch, tokens, heads, depth, weights.shape[1], levels, points)
    types = (VALUE_TYPES[value.dtype.name], int(shapes.dtype == np.int64), places.shape[-1])
    return Sizes(*counts, *types)


def _unset(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    return np.full(shape, 0xFFFF if dtype == np.uint16 else np.nan, dtype)
