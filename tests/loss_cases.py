"""Random predictions with targets, and the set losses written plainly in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """What a matcher takes, in its order."""

    logits: np.ndarray  # [H, B, Q, classes]
    boxes: np.ndarray  # [H, B, Q, 4]
    labels: np.ndarray  # [B, T]
    target_boxes: np.ndarray  # [B, T, 4]
    box_valid: np.ndarray  # [B, T]


def random_boxes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Centre boxes inside the image: [*shape, 4]."""
    size = rng.uniform(0.05, 0.5, (*shape, 2))
    centre = rng.uniform(0.0, 1.0, (*shape, 2)) * (1.0 - size) + size / 2
    return np.concatenate([centre, size], -1).astype(np.float32)


def random_case(
    seed: int, heads: int, queries: int, classes: int, counts: Sequence[int], padded: int
) -> Case:
    """Predictions of H heads for B = len(counts) images with so many boxes each."""
    rng = np.random.default_rng(seed)
    batch = len(counts)
    valid = (np.arange(padded) < np.array(counts)[:, None]).astype(np.float32)
    targets = random_boxes(rng, batch, padded)
    targets[valid == 0] = (0.5, 0.5, 1.0, 1.0)
    labels = rng.integers(0, classes, (batch, padded)).astype(np.int32)
    labels[valid == 0] = 0
    logits = rng.normal(-2.0, 1.5, (heads, batch, queries, classes)).astype(np.float32)
    return Case(logits, random_boxes(rng, heads, batch, queries), labels, targets, valid)


def focal(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Sigmoid focal loss, alpha 0.25 and gamma 2, from its definition in float64."""
    probability = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    right = np.where(targets > 0, probability, 1.0 - probability)
    return -np.where(targets > 0, 0.25, 0.75) * (1.0 - right) ** 2 * np.log(right)


def giou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Generalized IoU of centre boxes, row by row in float64: [n, 4], [n, 4] -> [n]."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    low = [box[:, :2] - box[:, 2:] / 2 for box in (first, second)]
    high = [box[:, :2] + box[:, 2:] / 2 for box in (first, second)]
    overlap = np.maximum(np.minimum(*high) - np.maximum(*low), 0.0).prod(1)
    union = first[:, 2:].prod(1) + second[:, 2:].prod(1) - overlap
    enclosing = (np.maximum(*high) - np.minimum(*low)).prod(1)
    return overlap / (union + 1e-6) - (enclosing - union) / (enclosing + 1e-6)


def set_losses(
    logits: np.ndarray,
    boxes: np.ndarray,
    queries: np.ndarray,
    labels: np.ndarray,
    target_boxes: np.ndarray,
) -> np.ndarray:
    """L1, class and generalized IoU sums of one head and image whose n pairs are given."""
    one_hot = np.zeros(logits.shape)
    one_hot[queries, labels] = 1.0
    chosen = boxes[queries]
    distance = np.abs(chosen.astype(np.float64) - target_boxes).sum()
    missing = (1.0 - giou(chosen, target_boxes)).sum()
    return np.array([distance, focal(logits, one_hot).sum(), missing])
