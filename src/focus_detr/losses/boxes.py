"""Box formats and generalized IoU on tensors.

Boxes are ``cxcywh`` (centre x, centre y, width, height) or ``xyxy`` (left, top, right, bottom) in
the last axis, in whatever unit the caller uses.
"""

from __future__ import annotations

from mindspore import Tensor, ops

from focus_detr.ops.slicing import part

EPS = 1e-6  # added to the union and to the enclosing area, as the reference does

Corners = tuple[Tensor, Tensor, Tensor, Tensor]


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Turn [..., 4] centre boxes into [..., 4] corner boxes."""
    centre, half = part(boxes, -1, 0, 2), part(boxes, -1, 2, 4) * 0.5
    return ops.concat((centre - half, centre + half), -1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Turn [..., 4] corner boxes into [..., 4] centre boxes."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return ops.concat(((low + high) * 0.5, high - low), -1)


def corners(boxes: Tensor) -> Corners:
    """Split [..., 4] centre boxes into left, top, right and bottom, each [...]."""
    half_width, half_height = boxes[..., 2] * 0.5, boxes[..., 3] * 0.5
    x, y = boxes[..., 0], boxes[..., 1]
    return x - half_width, y - half_height, x + half_width, y + half_height


def _area(box: Corners) -> Tensor:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap_and_union(first: Corners, second: Corners) -> tuple[Tensor, Tensor]:
    width = ops.relu(ops.minimum(first[2], second[2]) - ops.maximum(first[0], second[0]))
    height = ops.relu(ops.minimum(first[3], second[3]) - ops.maximum(first[1], second[1]))
    overlap = width * height
    return overlap, _area(first) + _area(second) - overlap


def iou(first: Corners, second: Corners, epsilon: float = EPS) -> Tensor:
    """IoU of boxes whose coordinate tensors broadcast against each other.

    Args:
        first: left, top, right and bottom, each [...].
        second: the same for the other boxes.
        epsilon: added to the union; above 0.

    Returns:
        [...] values in 0..1; boxes without area give 0.
    """
    overlap, union = _overlap_and_union(first, second)
    return overlap / (union + epsilon)


def generalized_iou(first: Corners, second: Corners, epsilon: float = EPS) -> Tensor:
    """Generalized IoU of boxes whose coordinate tensors broadcast against each other.

    Args:
        first: left, top, right and bottom, each [...].
        second: the same for the other boxes.
        epsilon: added to the union and to the enclosing area; above 0.

    Returns:
        [...] values in (-1, 1]; boxes without area give 0 or less and stay finite.
    """
    overlap, union = _overlap_and_union(first, second)
    enclosing_width = ops.maximum(first[2], second[2]) - ops.minimum(first[0], second[0])
    enclosing_height = ops.maximum(first[3], second[3]) - ops.minimum(first[1], second[1])
    enclosing = enclosing_width * enclosing_height
    return overlap / (union + epsilon) - (enclosing - union) / (enclosing + epsilon)
