"""Inputs of the GPU benchmark of deformable sampling, in NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HEADS, DEPTH, LEVELS, POINTS = 8, 32, 4, 4
FIRST_STRIDE = 8  # of the backbone's first level
REACH = 3.0  # cells: standard deviation of the offsets
KINK = 0.02  # cells: samples keep this far from where rounding decides the neighbours
ANYWHERE_QUERIES = 900

Shapes = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Case:
    """Random inputs of both operators that describe the same samples, float32."""

    name: str
    shapes: Shapes
    value: np.ndarray  # [1, N, M, D]
    locations: np.ndarray  # [1, Q, M, L, P, 2]
    weights: np.ndarray  # [1, Q, M, L, P]
    references: np.ndarray  # [1, Q, L, 2]
    projected: np.ndarray  # [1, Q, 3*M*L*P]
    grad_output: np.ndarray  # [1, Q, M*D]

    @property
    def queries(self) -> int:
        """Q."""
        return self.locations.shape[1]

    def operands(self, fused: bool) -> tuple[np.ndarray, np.ndarray]:
        """What the plain or the fused operator takes besides the value."""
        return (self.references, self.projected) if fused else (self.locations, self.weights)

    def gathered_bytes(self, value_bytes: int) -> int:
        """Bytes of all neighbours of all samples, most of which caches serve."""
        return 4 * self.weights.size * DEPTH * value_bytes

    def memory_bytes(self, fused: bool, value_bytes: int, backward: bool) -> int:
        """Bytes that have to come from or go to memory, each once."""
        operands = sum(tensor.nbytes for tensor in self.operands(fused))
        values = self.value.size * value_bytes
        outputs = self.grad_output.size * value_bytes
        gradients = self.value.nbytes + operands if backward else 0
        return values + operands + outputs + gradients


def level_shapes(height: int, width: int) -> Shapes:
    """(rows, columns) of the levels of an image."""
    strides = [FIRST_STRIDE * 2**level for level in range(LEVELS)]
    return tuple((-(-height // stride), -(-width // stride)) for stride in strides)


def token_centres(shapes: Shapes) -> np.ndarray:
    """(x, y) in 0..1 of every token: [N, 2]."""
    grids = []
    for rows, columns in shapes:
        x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        grids.append(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    return np.concatenate(grids)


def make_cases(height: int, width: int) -> list[Case]:
    """All tokens and half of them, which look around themselves, and queries that look anywhere."""
    shapes = level_shapes(height, width)
    random = np.random.default_rng(0)
    centres = token_centres(shapes)
    half = np.sort(random.permutation(len(centres))[: -(-len(centres) // 2)])
    anywhere = random.uniform(size=(min(ANYWHERE_QUERIES, len(centres)), 2))
    return [
        _make_case(random, f"{len(centres)} local", shapes, centres, REACH),
        _make_case(random, f"{len(half)} local", shapes, centres[half], REACH),
        _make_case(random, f"{len(anywhere)} anywhere", shapes, anywhere, None),
    ]


def _make_case(
    random: np.random.Generator,
    name: str,
    shapes: Shapes,
    centres: np.ndarray,
    reach: float | None,
) -> Case:
    """Samples around centres [Q, 2], or anywhere where ``reach`` is None."""
    count, tokens = len(centres), sum(rows * columns for rows, columns in shapes)
    layout = (1, count, HEADS, LEVELS, POINTS)
    sizes = np.array(shapes, np.float64)[:, None, ::-1]
    references = np.broadcast_to(centres[None, :, None], (1, count, LEVELS, 2))
    start = references[:, :, None, :, None] * sizes - 0.5
    if reach is None:
        pixels = random.uniform(size=(*layout, 2)) * sizes - 0.5
    else:
        pixels = start + reach * random.normal(size=(*layout, 2))
    whole = np.floor(pixels)
    pixels = whole + np.clip(pixels - whole, KINK, 1 - KINK)
    logits = random.normal(size=(1, count, HEADS, LEVELS * POINTS))
    powers = np.exp(logits)
    offsets = (pixels - start).reshape(1, count, -1)
    arrays = (
        random.normal(size=(1, tokens, HEADS, DEPTH)),
        (pixels + 0.5) / sizes,
        (powers / powers.sum(-1, keepdims=True)).reshape(layout),
        references,
        np.concatenate((offsets, logits.reshape(1, count, -1)), -1),
        random.normal(size=(1, count, HEADS * DEPTH)),
    )
    return Case(name, shapes, *(np.ascontiguousarray(array, np.float32) for array in arrays))
