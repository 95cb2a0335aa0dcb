"""Swin's tables of relative position bias for another window than the one they were trained with.

Bicubic interpolation as Microsoft's code does it: corners not aligned, no smoothing before, the
borders repeated.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np

CUBIC = -0.75  # slope of the kernel at distance 1
TABLE = "relative_position_bias_table"

_log = logging.getLogger(__name__)


def resize_bias_table(table: np.ndarray, window: int) -> np.ndarray:
    """[(2v-1)^2, M] of a window of v cells -> [(2w-1)^2, M] of one of ``window`` cells w."""
    heads, old, new = table.shape[1], math.isqrt(len(table)), 2 * window - 1
    weights = _bicubic_weights(old, new)  # [2w-1, 2v-1]
    square = table.astype(np.float64).reshape(old, old, heads)  # [2v-1, 2v-1, M]
    resized = np.einsum("ai,bj,ijm->abm", weights, weights, square)  # [2w-1, 2w-1, M]
    return np.ascontiguousarray(resized.reshape(new * new, heads).astype(table.dtype))


def fit_bias_tables(
    tensors: Mapping[str, np.ndarray], expected: Mapping[str, Sequence[int]], label: str
) -> dict[str, np.ndarray]:
    """Resize the tables that are of another window than the model's, and say so.

    Args:
        tensors: by our name.
        expected: the model's shape by our name.
        label: what the message calls the tensors' origin.
    """
    fitted = dict(tensors)
    for name, table in tensors.items():
        shape = tuple(expected.get(name, table.shape))
        if name.endswith(TABLE) and _is_of_another_window(table, shape):
            fitted[name] = resize_bias_table(table, (math.isqrt(shape[0]) + 1) // 2)
    changed = [name for name, table in fitted.items() if table is not tensors[name]]
    if changed:
        before, after = (len(tables[changed[0]]) for tables in (tensors, fitted))
        _log.warning(
            "%s was trained with windows of %d cells a side, the model has %d: its bias tables are "
            "interpolated",
            label,
            (math.isqrt(before) + 1) // 2,
            (math.isqrt(after) + 1) // 2,
        )
    return fitted


def _is_of_another_window(table: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether only the number of distances differs."""
    same_heads = table.ndim == len(shape) == 2 and shape[1] == table.shape[1]
    return same_heads and shape != table.shape and math.isqrt(len(table)) ** 2 == len(table)


def _bicubic_weights(old: int, new: int) -> np.ndarray:
    """What each new place takes of the old ones: [new, old]."""
    weights = np.zeros((new, old))
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(centres).astype(int)
    for offset in range(-1, 3):
        places = np.clip(first + offset, 0, old - 1)
        np.add.at(weights, (np.arange(new), places), _kernel(centres - first - offset))
    return weights


def _kernel(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel."""
    x = np.abs(distance)
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
