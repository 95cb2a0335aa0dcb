"""Golden cases of Align-DETR and DAC-DETR as padded tensors, and their rules written plainly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from golden_data import load

GRAPH_TARGETS = {"plain": 7, "shared": 7}  # padded boxes of the many-cases that share a graph


class PaddedTargets(NamedTuple):
    """Targets of B images, in the order that a matcher takes them."""

    labels: np.ndarray  # [B, T]
    boxes: np.ndarray  # [B, T, 4]
    valid: np.ndarray  # [B, T]


def padded_targets(golden: Mapping[str, Any], images: int, spare: int = 1) -> PaddedTargets:
    """Targets of a golden file with so many padded boxes more than the largest image has."""
    counts = [len(golden[f"tgt_labels{image}"]) for image in range(images)]
    shape = (images, max(counts) + spare)
    labels, valid = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    boxes = np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (*shape, 1))
    for image, count in enumerate(counts):
        labels[image, :count] = golden[f"tgt_labels{image}"]
        boxes[image, :count] = golden[f"tgt_boxes{image}"]
        valid[image, :count] = 1.0
    return PaddedTargets(labels, boxes, valid)


class ManyCase(NamedTuple):
    """One golden case of one-to-many matching."""

    golden: dict[str, Any]
    logits: np.ndarray  # [1, B, Q, classes] of the gathering decoder
    boxes: np.ndarray  # [1, B, Q, 4] likewise
    one_to_one_boxes: np.ndarray  # [1, B, Q, 4] that are matched
    targets: PaddedTargets
    priority: np.ndarray  # [1, B, Q] that leaves the positives which the reference's draw left


def many_case(name: str, padded: int | None = None) -> ManyCase:
    """The golden case dac_match_<name>, with so many padded boxes; None: one more than needed."""
    golden = load(f"dac_match_{name}")
    logits = golden["c_logits"]
    priority = np.ones((1, *logits.shape[:2]), np.float32)
    for image in range(len(logits)):
        if f"draw/permutation{image}" in golden:
            drawn = golden[f"draw/permutation{image}"]
            positive = np.flatnonzero(golden[f"positive{image}"])
            priority[0, image, positive[drawn]] = np.arange(len(drawn), 0, -1)
    targets = padded_targets(golden, len(logits))
    if padded is not None:
        spare = 1 + padded - targets.labels.shape[1]
        targets = padded_targets(golden, len(logits), spare)
    return ManyCase(
        golden,
        logits[None],
        golden["c_boxes"][None],
        golden["o_boxes"][None],
        targets,
        priority,
    )


def given_matches(
    golden: Mapping[str, Any], prefix: str, targets: PaddedTargets, per_box: int
) -> np.ndarray:
    """A golden file's pairs of one head as matchers return them: [B, T*k]."""
    batch, count = targets.labels.shape
    matches = np.full((batch, count, per_box), -1, np.int32)
    for image in range(batch):
        boxes = golden[f"{prefix}tgt{image}"]
        turn = np.arange(len(boxes)) - np.searchsorted(boxes, boxes)  # among those of its box
        matches[image, boxes, turn] = golden[f"{prefix}src{image}"]
    return matches.reshape(batch, -1)


def pairs_in_order(golden: Mapping[str, Any], prefix: str, images: int, per_box: int) -> np.ndarray:
    """Image and place [T*k] of each of a golden file's pairs, in its order: [pairs, 2]."""
    found = []
    for image in range(images):
        boxes = golden[f"{prefix}tgt{image}"]
        turn = np.arange(len(boxes)) - np.searchsorted(boxes, boxes)
        found.append(np.stack([np.full(len(boxes), image), boxes * per_box + turn], 1))
    return np.concatenate(found)


def best_pairs(score: np.ndarray, threshold: float, most: int) -> list[np.ndarray]:
    """Queries of each box by the paper's rule: scores [T, Q] of the real boxes."""
    best = [np.argsort(-row, kind="stable")[:most] for row in score]
    return [queries[row[queries] > threshold] for row, queries in zip(score, best, strict=True)]


def counted_pairs(
    score: np.ndarray, threshold: float, most: int, cap: int | None
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The released rule, query by query.

    Args:
        score: [T, Q] of the real boxes.
        threshold: that a score must reach.
        most: queries of a box.
        cap: queries that count; None: all.

    Returns:
        Candidate [Q] and whether it counts [Q] of each query, and the queries of each box.
    """
    boxes, queries = score.shape
    if boxes == 0:
        return np.zeros(queries, int), np.zeros(queries, bool), []
    candidate = np.array([int(np.argmax(score[:, query])) for query in range(queries)])
    highest = score.max(0)
    counts = highest >= threshold
    for row in score:
        counts[int(np.argmax(row))] = True
    if cap is not None:
        ranked = sorted(np.flatnonzero(counts), key=lambda query: -highest[query])
        counts[ranked[cap:]] = False
    pairs = []
    for box, row in enumerate(score):
        number = int((counts & (candidate == box)).sum())
        pairs.append(np.argsort(-row, kind="stable")[: min(number, most)])
    return candidate, counts, pairs


def align_targets(
    score: np.ndarray, overlap: np.ndarray, groups: Sequence[Sequence[int]], tau: float
) -> tuple[np.ndarray, np.ndarray]:
    """Quality and weight of pairs, in float64, with alpha 0.25 and floor 0.01.

    Args:
        score: [pairs] probabilities.
        overlap: [pairs] IoU.
        groups: places of the pairs of each box.
        tau: of the weights.
    """
    quality = np.maximum(score.astype(float) ** 0.25 * overlap.astype(float) ** 0.75, 0.01)
    weight = np.zeros(len(quality))
    for places in groups:
        best = sorted(places, key=lambda place: -quality[place])
        for rank, place in enumerate(best):
            weight[place] = np.exp(-rank / tau)
    return quality, weight
