"""A product before and after a fork, as a program: its exit status tells whether they are equal."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import numpy as np

from focus_detr.ops.products_library import find_products

ROWS, WIDTH = 4000, 256
PATIENCE = 60  # seconds for what takes milliseconds


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """To its first number."""
    return array.ctypes.data_as(ctypes.c_void_p)


def product(library: ctypes.CDLL, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[R, I] and [O, I] -> [R, O]."""
    target = np.empty((len(rows), len(weights)), np.float32)
    sizes = map(ctypes.c_int64, (*rows.shape, len(weights)))
    nothing = (None, None, None)  # bias, residual, valid
    status = library.products_dense(
        *sizes, 0, 0, pointer(rows), pointer(weights), *nothing, pointer(target)
    )
    assert status == 0, status
    return target


def main() -> int:
    """Compute, fork, compute."""
    library = ctypes.CDLL(str(find_products()))
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(ROWS, WIDTH)).astype(np.float32)
    weights = draw.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    before = product(library, rows, weights)
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        os._exit(0 if np.array_equal(before, product(library, rows, weights)) else 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
