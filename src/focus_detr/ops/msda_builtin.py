"""Deformable sampling by MindSpore's built-in primitive, which has a kernel on Ascend only.

Not run on such a device so far: the tests put a composition in the primitive's place.
"""

from __future__ import annotations

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda_custom import level_tensors

LEAST_QUERIES, LARGEST_QUERIES = 32, 499_999  # the kernel refuses fewer and more
LARGEST_COUNT = 16  # of heads, levels and points
DEPTH_STEP, LARGEST_DEPTH = 8, 256
OUTSIDE, FAR_OUTSIDE = -2.0, 3.0  # locations on either side of every map


def builtin_problem(depth: int, heads: int, levels: int, points: int) -> str | None:
    """Why the primitive cannot serve these sizes; None if it can."""
    if depth % DEPTH_STEP or depth > LARGEST_DEPTH:
        return (
            f"the built-in operator needs channels per head (model.width / model.heads) in steps "
            f"of {DEPTH_STEP} up to {LARGEST_DEPTH}, not {depth}"
        )
    for name, count in (("heads", heads), ("levels", levels), ("points", points)):
        if count > LARGEST_COUNT:
            return f"the built-in operator takes up to {LARGEST_COUNT} {name}, not {count}"
    return None


@constexpr
def missing_queries(queries: int) -> int:
    """How many to append for the primitive; their number is known only when a graph is compiled.

    Raises:
        FocusDetrError: there are more than the primitive takes.
    """
    if queries > LARGEST_QUERIES:
        raise FocusDetrError(
            f"the built-in operator of deformable attention takes up to {LARGEST_QUERIES} queries "
            f"(tokens that a layer of the encoder refines), not {queries}: use smaller images, "
            "model.msda=custom or model.msda=composition"
        )
    return max(LEAST_QUERIES - queries, 0)


class BuiltinSampling(nn.Cell):
    """Same arguments and result as ``ComposedSampling``.

    Args:
        primitive: takes value, shapes, starts, locations and weights; default: MindSpore's.
    """

    def __init__(self, primitive: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.primitive = primitive or ops.multi_scale_deformable_attn_function

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        locations: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Sample in float32 whatever the type of ``value``.

        Raises:
            FocusDetrError: more queries than the primitive takes, when the graph is compiled.
        """
        sizes, starts = level_tensors(shapes)
        queries = locations.shape[1]
        missing = missing_queries(queries)
        places = self.clean(locations.astype(ms.float32))
        shares = weights.astype(ms.float32)
        if missing > 0:
            places = self.pad(places, missing)  # [B, 32, M, L, P, 2]
            shares = self.pad(shares, missing)  # [B, 32, M, L, P]
        output = self.primitive(value.astype(ms.float32), sizes, starts, places, shares)
        return output[:, :queries].astype(value.dtype)  # [B, Q, C]

    def clean(self, locations: Tensor) -> Tensor:
        """Move what is infinite, NaN or far away just outside the map, where it adds nothing.

        Any shape -> the same.
        """
        finite = ops.isfinite(locations)
        usable = ops.select(finite, locations, ops.full_like(locations, OUTSIDE))
        return ops.clamp(usable, OUTSIDE, FAR_OUTSIDE)

    def pad(self, tensor: Tensor, missing: int) -> Tensor:
        """Append queries of zeros: [B, Q, ...] -> [B, Q + missing, ...]."""
        empty = ops.zeros((tensor.shape[0], missing, *tensor.shape[2:]), ms.float32)
        return ops.concat((tensor, empty), axis=1)
