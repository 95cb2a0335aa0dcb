"""Matching cost and assignment in NumPy, run on the host from inside the graph.

The cost is computed for the real boxes only: as broadcast tensors over the padded ones it takes
MindSpore about ten times longer on a CPU.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

COST_LIMIT = 256.0  # sound costs stay within 60; what lies beyond comes from broken predictions
EPS = 1e-6  # as in ``losses.boxes``
_LOG_EPS = 1e-8


def class_cost(logits: np.ndarray) -> np.ndarray:
    """Focal cost of calling each prediction positive: [...] logits -> [...]."""
    positive = 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))
    negative = 1.0 - positive
    gain = 0.25 * negative**2 * -np.log(positive + _LOG_EPS)
    return gain - 0.75 * positive**2 * -np.log(negative + _LOG_EPS)


def _corners(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    half_width, half_height = boxes[..., 2] * 0.5, boxes[..., 3] * 0.5
    x, y = boxes[..., 0], boxes[..., 1]
    return x - half_width, y - half_height, x + half_width, y + half_height


def pairwise_giou(boxes: np.ndarray, targets: np.ndarray, epsilon: float = EPS) -> np.ndarray:
    """Generalized IoU of all pairs of centre boxes.

    Args:
        boxes: [..., Q, 4].
        targets: [n, 4].
        epsilon: added to the union and to the enclosing area.

    Returns:
        [..., Q, n].
    """
    left, top, right, bottom = (side[..., None] for side in _corners(boxes))
    t_left, t_top, t_right, t_bottom = _corners(targets)
    width = np.maximum(np.minimum(right, t_right) - np.maximum(left, t_left), 0.0)
    height = np.maximum(np.minimum(bottom, t_bottom) - np.maximum(top, t_top), 0.0)
    overlap = width * height
    area = (right - left) * (bottom - top)
    union = area + (t_right - t_left) * (t_bottom - t_top) - overlap
    enclosing_width = np.maximum(right, t_right) - np.minimum(left, t_left)
    enclosing = enclosing_width * (np.maximum(bottom, t_bottom) - np.minimum(top, t_top))
    return overlap / (union + epsilon) - (enclosing - union) / (enclosing + epsilon)


def pairwise_l1(boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Sum of absolute coordinate differences of all pairs: [..., Q, 4], [n, 4] -> [..., Q, n]."""
    distance = np.abs(boxes[..., None, 0] - targets[:, 0])
    for axis in range(1, 4):
        distance += np.abs(boxes[..., None, axis] - targets[:, axis])
    return distance


def matching_cost(
    logits: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    weights: tuple[float, float, float],
    giou_epsilon: float = EPS,
) -> np.ndarray:
    """Cost of every prediction for every real box of one image, always finite.

    Args:
        logits: [H, Q, classes].
        boxes: [H, Q, 4] centre boxes, normalised.
        labels: [n] class indices.
        targets: [n, 4] centre boxes, normalised.
        weights: of the class, the L1 and the generalized IoU cost.
        giou_epsilon: as for ``pairwise_giou``.

    Returns:
        [H, Q, n] float32.
    """
    cost = weights[0] * class_cost(logits[..., labels])
    cost += weights[1] * pairwise_l1(boxes, targets)
    cost -= weights[2] * pairwise_giou(boxes, targets, giou_epsilon)
    return np.clip(np.nan_to_num(cost, nan=COST_LIMIT), -COST_LIMIT, COST_LIMIT)


def assign(cost: np.ndarray) -> np.ndarray:
    """Query of each of n targets at the lowest total cost: [Q, n] -> [n] int32, -1 unmatched."""
    matched = np.full(cost.shape[1], -1, np.int32)
    queries, targets = linear_sum_assignment(cost)
    matched[targets] = queries
    return matched


def assign_repeatedly(cost: np.ndarray, repeats: int, width: int) -> np.ndarray:
    """``assign`` with every target there several times (mixed matching of Align-DETR).

    Args:
        cost: [Q, n].
        repeats: queries wanted for each target; Q // n if that is less, but at least 1.
        width: columns of the result, at least ``repeats``.

    Returns:
        [n, width] int32 different queries; -1 for none.
    """
    queries, targets = cost.shape
    fits = max(1, min(repeats, queries // max(targets, 1)))
    matched = np.full((targets, width), -1, np.int32)
    # column c of the tiled cost is target c modulo n
    matched[:, :fits] = assign(np.tile(cost, (1, fits))).reshape(fits, targets).T
    return matched
