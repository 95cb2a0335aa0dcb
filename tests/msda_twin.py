"""Deformable sampling in plain float64 NumPy, random problems, and derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from msda_native import Native

Shapes = tuple[tuple[int, int], ...]
Tensors = Sequence[np.ndarray]
Output = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
INPUTS = ("value", "places", "weights")  # places and weights: references and projected, if fused
STEP = 1e-6  # of central differences in float64


def sample(
    value: np.ndarray, shapes: Shapes, locations: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """As the plain operator: [B, N, M, D], [B, Q, M, L, P, 2], [B, Q, M, L, P] -> [B, Q, M*D].

    Bilinear interpolation is a sum over all cells with weights that fall off linearly from 1 at the
    cell to 0 at its neighbours. A position that is no number has no cell near.
    """
    batch, _, heads, depth = value.shape
    output = np.zeros((batch, locations.shape[1], heads, depth))
    first = 0
    for level, (rows, columns) in enumerate(shapes):
        grid = value[:, first : first + rows * columns].astype(np.float64)
        grid = grid.reshape(batch, rows, columns, heads, depth)
        first += rows * columns
        near_x = _nearness(locations[:, :, :, level, :, 0], columns)
        near_y = _nearness(locations[:, :, :, level, :, 1], rows)
        share = weights[:, :, :, level].astype(np.float64)
        share = np.where(near_x.any(-1) & near_y.any(-1), share, 0.0)
        output += np.einsum(
            "bqmp,bqmph,bqmpw,bhwmd->bqmd", share, near_y, near_x, grid, optimize=True
        )
    return output.reshape(batch, locations.shape[1], heads * depth)


def attention_map(
    shapes: Shapes, locations: np.ndarray, weights: np.ndarray, half_pixel: bool
) -> np.ndarray:
    """Decoder cross-attention map: [B, Q, M, L, P, 2] and [B, Q, M, L, P] -> [B, N]."""
    levels = []
    for level, (rows, columns) in enumerate(shapes):
        first = 0.5 if half_pixel else 0.0
        near_x = _nearness(locations[:, :, :, level, :, 0], columns, first)
        near_y = _nearness(locations[:, :, :, level, :, 1], rows, first)
        share = weights[:, :, :, level].astype(np.float64)
        grid = np.einsum("bqmp,bqmph,bqmpw->bhw", share, near_y, near_x, optimize=True)
        levels.append(grid.reshape(len(grid), -1))
    return np.concatenate(levels, 1)


def _nearness(location: np.ndarray, cells: int, first: float = 0.5) -> np.ndarray:
    """Weight of every cell along one axis, the first centred there: [...] -> [..., cells]."""
    pixel = location.astype(np.float64)[..., None] * cells - first
    return np.nan_to_num(np.maximum(1.0 - np.abs(pixel - np.arange(cells)), 0.0), nan=0.0)


def places(
    heads: int, shapes: Shapes, references: np.ndarray, projected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Locations and weights of the fused operator's inputs, as ``SamplePlaces``."""
    batch, queries, size = projected.shape
    count = size // 3
    layout = (batch, queries, heads, len(shapes), count // (heads * len(shapes)))
    offsets = projected[:, :, : 2 * count].astype(np.float64).reshape(*layout, 2)
    logits = projected[:, :, 2 * count :].astype(np.float64)
    logits = logits.reshape(batch, queries, heads, count // heads)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    weights = (powers / powers.sum(-1, keepdims=True)).reshape(layout)
    reference = references.astype(np.float64)[:, :, None, :, None]
    if references.shape[-1] == 2:
        scaled = offsets / np.array(shapes, np.float64)[:, None, ::-1]
    else:
        scaled = offsets * (0.5 / layout[-1]) * reference[..., 2:]
    return reference[..., :2] + scaled, weights


def sample_fused(
    value: np.ndarray, shapes: Shapes, references: np.ndarray, projected: np.ndarray
) -> np.ndarray:
    """As the fused operator."""
    return sample(value, shapes, *places(value.shape[2], shapes, references, projected))


def gradients(
    function: Callable[..., np.ndarray], inputs: Sequence[np.ndarray], weights: np.ndarray
) -> list[np.ndarray]:
    """Derivatives of sum(function(*inputs) * weights) by every input number, by differences."""
    found = []
    exact = [tensor.astype(np.float64) for tensor in inputs]
    for tensor in exact:
        gradient = np.zeros_like(tensor)
        for index in np.ndindex(*tensor.shape):
            kept = tensor[index]
            tensor[index] = kept + STEP
            above = (function(*exact) * weights).sum()
            tensor[index] = kept - STEP
            below = (function(*exact) * weights).sum()
            tensor[index] = kept
            gradient[index] = (above - below) / (2 * STEP)
        found.append(gradient)
    return found


@dataclass(frozen=True)
class Problem:
    """Random inputs of both operators that describe the same samples."""

    shapes: Shapes
    value: np.ndarray
    references: np.ndarray
    projected: np.ndarray
    locations: np.ndarray
    weights: np.ndarray
    grad_output: np.ndarray


def random_problem(
    seed: int,
    shapes: Shapes,
    *,
    batch: int = 1,
    heads: int = 2,
    depth: int = 3,
    queries: int = 2,
    points: int = 2,
    reference_size: int = 2,
    reach: float = 2.0,
) -> Problem:
    """Samples around random references; none is within 0.02 pixels of a kink.

    ``reach`` is the standard deviation of the offsets.
    """
    rng = np.random.default_rng(seed)
    levels = len(shapes)
    tokens = sum(rows * columns for rows, columns in shapes)
    entries = heads * levels * points
    value = rng.normal(size=(batch, tokens, heads, depth)).astype(np.float32)
    references = rng.uniform(0.05, 1.0, (batch, queries, levels, reference_size))
    references = references.astype(np.float32)
    offsets = reach * rng.normal(size=(batch, queries, heads, levels, points, 2))
    logits = rng.normal(size=(batch, queries, entries))
    sizes = np.array(shapes, np.float64)[:, None, ::-1]
    unit = np.ones_like(offsets)
    if reference_size == 4:
        unit = unit * references[:, :, None, :, None, 2:] * (0.5 / points) * sizes
    start = references[:, :, None, :, None, :2] * sizes - 0.5
    offsets = (_off_kinks(start + offsets * unit) - start) / unit
    flat = offsets.reshape(batch, queries, 2 * entries)
    projected = np.concatenate((flat, logits), -1).astype(np.float32)
    locations, weights = places(heads, shapes, references, projected)
    return Problem(
        shapes,
        value,
        references,
        projected,
        locations.astype(np.float32),
        weights.astype(np.float32),
        rng.normal(size=(batch, queries, heads * depth)).astype(np.float32),
    )


def _off_kinks(pixels: np.ndarray) -> np.ndarray:
    whole = np.floor(pixels)
    return whole + np.clip(pixels - whole, 0.02, 0.98)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    scale = max(float(np.abs(expected).max(initial=0.0)), 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def check_native(native: Native, problem: Problem) -> None:
    """Both operators and every number of their gradients against float64."""

    def compare(form: str, function: Output, inputs: Tensors, found: Tensors) -> None:
        expected = gradients(function, inputs, problem.grad_output)
        for name, ours, exact in zip(INPUTS, found, expected, strict=True):
            close(ours, exact, 2e-5, f"{form}: {name}")

    _check(native, problem, compare)


def check_native_along(native: Native, problem: Problem, seed: int) -> None:
    """Both operators against float64; gradients along one random direction, which is quicker."""
    rng = np.random.default_rng(seed)

    def compare(form: str, function: Output, inputs: Tensors, found: Tensors) -> None:
        for i, (name, ours) in enumerate(zip(INPUTS, found, strict=True)):
            direction = rng.normal(size=ours.shape)
            above, below = (
                function(*inputs[:i], inputs[i] + step * direction, *inputs[i + 1 :])
                for step in (STEP, -STEP)
            )
            exact = ((above - below) * problem.grad_output).sum() / (2 * STEP)
            slope = (ours.astype(np.float64) * direction).sum()
            scale = max(float(np.linalg.norm(ours)), 1.0)
            assert abs(slope - exact) <= 2e-5 * scale, f"{form}: {name}"

    _check(native, problem, compare)


def _check(
    native: Native, p: Problem, compare: Callable[[str, Output, Tensors, Tensors], None]
) -> None:
    """Outputs of both operators; ``compare`` gets float64's function, inputs and gradients."""
    cases = ((sample, p.locations, p.weights), (sample_fused, p.references, p.projected))
    for twin, places, weights in cases:
        inputs = (p.value, places, weights)

        def function(
            value: np.ndarray,
            places: np.ndarray,
            weights: np.ndarray,
            twin: Callable[..., np.ndarray] = twin,
        ) -> np.ndarray:
            return twin(value, p.shapes, places, weights)

        close(native.forward(p.value, p.shapes, places, weights), function(*inputs), 2e-6, "output")
        found = native.backward(p.value, p.shapes, places, weights, p.grad_output)
        compare(twin.__name__, function, inputs, found)
