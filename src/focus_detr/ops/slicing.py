"""Parts of tensors along one axis, quick to compile.

The front end runs a page of MindSpore's Python for a bracket like ``x[:, :n]``, anew for each place
and each ``n``; these functions leave it the same operator with constants.
"""

from __future__ import annotations

from mindspore import Tensor, ops
from mindspore.ops import constexpr

_slice, _shape = ops.StridedSlice(), ops.Shape()


@constexpr
def _begin(shape: tuple[int, ...], axis: int, start: int) -> tuple[int, ...]:
    return tuple(start if place == axis % len(shape) else 0 for place in range(len(shape)))


@constexpr
def _end(shape: tuple[int, ...], axis: int, end: int) -> tuple[int, ...]:
    cut = axis % len(shape)
    return tuple(min(end, size) if place == cut else size for place, size in enumerate(shape))


@constexpr
def _steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * len(shape)


def part(x: Tensor, axis: int, start: int, end: int) -> Tensor:
    """``x[start:end]`` along an axis; start and end are counted from the front."""
    shape = _shape(x)
    return _slice(x, _begin(shape, axis, start), _end(shape, axis, end), _steps(shape))
