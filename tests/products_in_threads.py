"""Calls native products from several threads at once; ends with 1 if a result is wrong.

python products_in_threads.py
"""

from __future__ import annotations

import ctypes
import sys
import threading

import numpy as np

from focus_detr.ops.products_library import find_products

THREADS, ROUNDS = 3, 120
NUMBER = ctypes.c_int64
# of products_map: batch, rows, columns, inputs, outputs, kernel, groups, stride and four paddings
PLACES = (NUMBER * 12)(1, 33, 41, 24, 40, 3, 1, 1, 1, 1, 1, 1)
PERCEPTRON = (NUMBER * 4)(3, 300, 64, 48)  # of products_perceptron: batch, rows, channels, hidden
LIBRARY = ctypes.CDLL(str(find_products()))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Where its numbers are."""
    return array.ctypes.data_as(ctypes.c_void_p)


class Problem:
    """One thread's tensors; all threads have the same shapes, and so the same primitives."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shapes = (33, 41, 24), (40, 24, 3, 3), (33, 41, 40), (900, 64), (900, 48), (64,), (48, 64)
        self.given = [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    def solve(self) -> list[np.ndarray]:
        """A convolution, its gradients, that of a dense layer's weight, and a perceptron's."""
        x, kernel, grad, rows, row_grad, _, _ = map(pointer, self.given)
        results = [np.empty_like(self.given[index]) for index in (2, 0, 1)]
        results.append(np.empty((48, 64), np.float32))
        out, to_x, to_kernel, to_weight = map(pointer, results)
        LIBRARY.products_convolution(PLACES, 0, 0, x, kernel, None, None, None, out)
        LIBRARY.products_convolution_grad_source(PLACES, grad, kernel, to_x)
        LIBRARY.products_convolution_grad_weights(PLACES, grad, x, to_kernel, None)
        sizes = NUMBER(900), NUMBER(64), NUMBER(48)
        LIBRARY.products_dense_grad_weights(*sizes, row_grad, rows, to_weight, None)
        return results + self.solve_perceptron()

    def solve_perceptron(self) -> list[np.ndarray]:
        """A perceptron's branch of three images, and the gradients of source and first weight."""
        rows, row, first = (self.given[index] for index in (3, 5, 6))
        second, factor = np.ascontiguousarray(first.T), np.array([1, 0, 1.25], np.float32)
        bias, epsilon, sizes = np.zeros(64, np.float32), ctypes.c_float(1e-5), PERCEPTRON
        target, argument = np.empty_like(rows), np.zeros((900, 48), np.float32)
        given = rows, row, row, first, bias, second, row, factor, target, argument
        LIBRARY.products_perceptron_branch(sizes, epsilon, *map(pointer, given))
        shaped = rows, row, row, first, bias, second, row
        gradients = [np.empty_like(array) for array in shaped]
        given = rows, row, row, first, second, factor, argument, target, *gradients
        LIBRARY.products_perceptron_branch_grad(sizes, epsilon, *map(pointer, given))
        return [target, gradients[0], gradients[3]]


def main() -> int:
    """Solve each problem alone first, then all at once again and again."""
    problems = [Problem(seed) for seed in range(THREADS)]
    expected = [problem.solve() for problem in problems]
    wrong: list[int] = []

    def repeat(index: int) -> None:
        for _ in range(ROUNDS):
            pairs = zip(problems[index].solve(), expected[index], strict=True)
            if not all(np.allclose(*pair, rtol=1e-4, atol=1e-3) for pair in pairs):
                wrong.append(index)

    threads = [threading.Thread(target=repeat, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(wrong)} of {THREADS * ROUNDS} are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
