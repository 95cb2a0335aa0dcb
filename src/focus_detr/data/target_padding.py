"""Padding the boxes of an image to one of a few numbers of targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_PADDING_BOX = (0.5, 0.5, 1.0, 1.0)


@dataclass(frozen=True)
class PaddedTargets:
    """Targets of one image in T slots, real ones first."""

    boxes: np.ndarray  # [T, 4] float32, cx cy w h over the image's size
    labels: np.ndarray  # [T] int32
    valid: np.ndarray  # [T] float32, 1 for a real box
    dropped: int  # boxes that found no slot


def target_capacity(counts: Sequence[int], buckets: Sequence[int]) -> int:
    """The smallest bucket that holds the largest count, else the largest bucket."""
    largest = max(counts, default=0)
    return min((size for size in buckets if size >= largest), default=max(buckets))


def pad_targets(
    boxes: np.ndarray, labels: np.ndarray, image_size: tuple[int, int], capacity: int
) -> PaddedTargets:
    """Normalise boxes and pad them; of too many boxes the largest are kept, in their order.

    Args:
        boxes: [n, 4] x1 y1 x2 y2 in pixels.
        labels: [n] class indices.
        image_size: (height, width) in pixels.
        capacity: T.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    by_area = np.argsort(-sides.prod(axis=1), kind="stable")
    kept = np.sort(by_area[:capacity])
    count = len(kept)
    padded_boxes = np.tile(np.array(_PADDING_BOX, np.float32), (capacity, 1))
    padded_labels = np.zeros(capacity, np.int32)
    corners = boxes[kept]
    scale = np.array([image_size[1], image_size[0]], np.float32)
    padded_boxes[:count, :2] = (corners[:, :2] + corners[:, 2:]) / 2 / scale
    padded_boxes[:count, 2:] = sides[kept] / scale
    padded_labels[:count] = labels[kept]
    valid = (np.arange(capacity) < count).astype(np.float32)
    return PaddedTargets(padded_boxes, padded_labels, valid, len(boxes) - count)
