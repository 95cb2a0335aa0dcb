"""Deformable attention at the sizes of the published networks, forward and backward."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.device_check.told import Numbers
from focus_detr.ops.msda_choice import AUTO, build_sampling

SHAPES = ((32, 40), (16, 20), (8, 10), (4, 5))
HEADS, DEPTH, POINTS = 8, 32, 4
QUERIES = {"points": 900, "boxes": 5}  # many, and fewer than the built-in primitive takes
_FROM_KINK = 0.05  # pixels; closer, rounding decides between two gradients
_REACH = 3.0  # pixels, standard deviation of the offsets


class _Probe(nn.Cell):
    """Output of a sampling cell, and its weighted sum, which is differentiated."""

    def __init__(self, sampling: nn.Cell) -> None:
        super().__init__()
        self.sampling = sampling

    def construct(
        self, value: Tensor, references: Tensor, projected: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum [] and output [B, Q, C]."""
        output = self.sampling(value, SHAPES, references, projected)
        return (output * weights).sum(), output


def attention_numbers() -> Numbers:
    """Output and the gradients of all inputs, once around points and once around boxes.

    The environment variable ``FOCUS_DETR_MSDA`` says by which implementation.

    Raises:
        FocusDetrError: it is not available here.
    """
    levels = len(SHAPES)
    cell = build_sampling(AUTO, depth=DEPTH, heads=HEADS, levels=levels, points=POINTS)
    step = ops.value_and_grad(_Probe(cell), (0, 1, 2), has_aux=True)
    numbers = {}
    for kind, queries in QUERIES.items():
        inputs = problem(kind, queries)
        (_, output), gradients = step(*(Tensor(tensor) for tensor in inputs))
        names = ("output", "gradient of values", "of references", "of offsets and logits")
        for name, tensor in zip(names, (output, *gradients), strict=True):
            numbers[f"{queries} {kind}, {name}"] = tensor.asnumpy()
    return numbers


def problem(kind: str, queries: int) -> tuple[np.ndarray, ...]:
    """Random inputs; no sample is near a kink.

    Args:
        kind: references are "points" or "boxes".
        queries: Q.

    Returns:
        Values [1, N, M, D], references [1, Q, L, 2 or 4], projected [1, Q, 3*M*L*P] and weights of
        the output [1, Q, M*D], all float32.
    """
    rng = np.random.default_rng(queries)
    levels, tokens = len(SHAPES), sum(rows * columns for rows, columns in SHAPES)
    references = rng.uniform(0.1, 0.9, (1, queries, levels, 2 if kind == "points" else 4))
    sizes = np.array(SHAPES, np.float64)[:, None, ::-1]  # [L, 1, 2] columns, rows
    centre = references[:, :, None, :, None, :2] * sizes - 0.5  # [1, Q, 1, L, 1, 2] pixels
    unit = np.ones_like(centre)
    if kind == "boxes":
        unit = references[:, :, None, :, None, 2:] * (0.5 / POINTS) * sizes
    shape = (1, queries, HEADS, levels, POINTS, 2)
    pixels = centre + _REACH * rng.normal(size=shape)
    whole = np.floor(pixels)
    pixels = whole + np.clip(pixels - whole, _FROM_KINK, 1 - _FROM_KINK)
    offsets = ((pixels - centre) / unit).reshape(1, queries, -1)
    logits = rng.normal(size=(1, queries, HEADS * levels * POINTS))
    value = rng.normal(size=(1, tokens, HEADS, DEPTH))
    weights = rng.normal(size=(1, queries, HEADS * DEPTH))
    projected = np.concatenate((offsets, logits), axis=-1)
    return tuple(array.astype(np.float32) for array in (value, references, projected, weights))
