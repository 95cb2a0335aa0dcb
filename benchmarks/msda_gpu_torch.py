"""Deformable sampling composed from torch's grid_sample on a GPU, to compare with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from msda_gpu_cases import Case, Shapes
from torch import Tensor
from torch.nn.functional import grid_sample

WARM_UP = 3


def compose(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    """One ``grid_sample`` per level.

    [B, N, M, D], shapes, [B, Q, M, L, P, 2] and [B, Q, M, L, P] -> [B, Q, M*D].
    """
    batch, _, heads, depth = value.shape
    _, queries, _, levels, points = weights.shape
    sampled = []
    parts = value.split([rows * columns for rows, columns in shapes], 1)
    for level, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        image = part.flatten(2).transpose(1, 2).reshape(batch * heads, depth, *shape)
        grid = (2 * locations[:, :, :, level] - 1).transpose(1, 2).flatten(0, 1)  # [B*M, Q, P, 2]
        sampled.append(grid_sample(image, grid, "bilinear", "zeros", align_corners=False))
    shares = weights.transpose(1, 2).reshape(batch * heads, 1, queries, levels * points)
    stacked = torch.stack(sampled, -2).flatten(-2)  # [B*M, D, Q, L*P]
    return (stacked * shares).sum(-1).reshape(batch, heads * depth, queries).transpose(1, 2)


def composition_times(case: Case, repeat: int) -> tuple[list[float], list[float]] | None:
    """Milliseconds of forward and of backward in float32; None where torch has no GPU."""
    if not torch.cuda.is_available():
        return None
    arrays = (case.value, case.locations, case.weights)
    inputs = [torch.from_numpy(array).cuda().requires_grad_() for array in arrays]
    gradient = torch.from_numpy(case.grad_output).cuda()

    def forward() -> Tensor:
        return compose(inputs[0], case.shapes, *inputs[1:])

    output = forward()

    def backward() -> object:
        return torch.autograd.grad(output, inputs, gradient, retain_graph=True)

    return _times(forward, repeat), _times(backward, repeat)


def _times(call: Callable[[], object], repeat: int) -> list[float]:
    times = []
    for _ in range(WARM_UP + repeat):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return times[WARM_UP:]
