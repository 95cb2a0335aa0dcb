"""Gradients of deformable sampling in NumPy loops and float64, for tests of kernels."""

from __future__ import annotations

import numpy as np

Shapes = tuple[tuple[int, int], ...]


def sample_gradients(
    value: np.ndarray,
    shapes: Shapes,
    locations: np.ndarray,
    weights: np.ndarray,
    grad_output: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of value, locations and weights; arguments as ``msda_twin.sample`` and [B, Q, C].

    A sample whose location is NaN or infinite has no gradient, as one outside the map. At a kink
    the cell to the right and below decides; exactly one cell before the map counts as outside.
    """
    batch, queries, heads, levels, points, _ = locations.shape
    upstream = grad_output.reshape(batch, queries, heads, -1).astype(np.float64)
    exact = value.astype(np.float64)
    gradients = np.zeros_like(exact), np.zeros(locations.shape), np.zeros(weights.shape)
    starts = np.cumsum([0, *(rows * columns for rows, columns in shapes[:-1])])
    for b, q, m, level, p in np.ndindex(batch, queries, heads, levels, points):
        sample = (b, q, m, level, p)
        width = np.array((shapes[level][1], shapes[level][0]), np.float64)
        pixel = locations[sample] * width - 0.5
        if not (np.isfinite(pixel) & (pixel > -1)).all():
            continue
        for token, share, slope in _corners(pixel, shapes[level]):
            cell = (b, starts[level] + token, m)
            dot = float(exact[cell] @ upstream[b, q, m])
            gradients[0][cell] += share * weights[sample] * upstream[b, q, m]
            gradients[1][sample] += dot * weights[sample] * slope * width
            gradients[2][sample] += share * dot
    return gradients


def _corners(pixel: np.ndarray, shape: tuple[int, int]) -> list[tuple[int, float, np.ndarray]]:
    """Token, bilinear share and the share's slope (x, y) of each corner on the map."""
    rows, columns = shape
    left, top = int(np.floor(pixel[0])), int(np.floor(pixel[1]))
    fraction_x, fraction_y = pixel[0] - left, pixel[1] - top
    corners = []
    for row, share_y, slope_y in ((top, 1 - fraction_y, -1.0), (top + 1, fraction_y, 1.0)):
        for column, share_x, slope_x in ((left, 1 - fraction_x, -1.0), (left + 1, fraction_x, 1.0)):
            if 0 <= row < rows and 0 <= column < columns:
                slope = np.array((slope_x * share_y, slope_y * share_x))
                corners.append((row * columns + column, share_x * share_y, slope))
    return corners
