"""Deformable sampling of NumPy arrays by the native library; needs no MindSpore."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focus_detr.ops.msda_library import check_library


class Sizes(ctypes.Structure):
    """``msda_sizes`` of ``custom_ops/msda/msda.h``; types are numbers of its enumerations."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "tokens", "heads", "depth")),
        *((name, ctypes.c_int64) for name in ("queries", "levels", "points")),
        *((name, ctypes.c_int32) for name in ("value_type", "index_type", "reference_size")),
    )


class SamplingError(Exception):
    """Sizes contradict each other."""


class ArraySampling:
    """Samples maps of fixed sizes.

    Args:
        library: from ``find_library``.
        grids: (rows, columns) of each level.
    """

    def __init__(self, library: Path, grids: Sequence[tuple[int, int]]) -> None:
        self._forward = check_library(library).msda_fused_forward
        self._grids = np.array(grids, np.int32).reshape(-1, 2)
        self._starts = np.cumsum([0, *self._grids.prod(1)[:-1]]).astype(np.int32)

    def __call__(
        self, value: np.ndarray, references: np.ndarray, projected: np.ndarray, out: np.ndarray
    ) -> None:
        """Sample float32 arrays without gaps between their numbers.

        Args:
            value: [B, N, M, C/M].
            references: [B, Q, L, 2] points (x, y) or [B, Q, L, 4] boxes (cx, cy, w, h).
            projected: [B, Q, 3*M*L*P], the offsets [M, L, P, 2] and then the logits [M, L*P].
            out: [B, Q, C], gets the result.

        Raises:
            SamplingError: shapes contradict each other or the grids.
        """
        batch, queries, levels, reference_size = references.shape
        heads, depth = value.shape[2:]
        points = projected.shape[2] // (3 * heads * levels)
        expected = (batch, queries, 3 * heads * levels * points), (batch, queries, heads * depth)
        if (projected.shape, out.shape) != expected or value.shape[0] != batch:
            raise SamplingError(
                f"{value.shape}, {references.shape}, {projected.shape}, {out.shape}"
            )
        sizes = Sizes(*value.shape, queries, levels, points, 0, 0, reference_size)
        arrays = (value, self._grids, self._starts, references, projected, out)
        addresses = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        status = self._forward(ctypes.byref(sizes), *addresses, None)
        if status:
            raise SamplingError(f"msda_fused_forward returned status {status}")
