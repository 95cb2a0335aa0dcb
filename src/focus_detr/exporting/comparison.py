"""How far the detections of two networks are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.postprocess import Detections
from focus_detr.wording import counted

TIED_TOKENS = 0.01  # share of a list that may be others, and at least one of them


@dataclass(frozen=True)
class Comparison:
    """The differences; of a pair of detections both have the same label."""

    compared: int = 0  # detections whose place in the list is sure
    matched: int = 0  # of them, with a partner
    score: float = 0.0  # largest difference
    box: float = 0.0  # largest difference of a coordinate, in units of the picture's longer side
    tokens: int = 0  # kept by the encoder's layers
    same_tokens: int = 0  # of them, by both
    tied_tokens: int = 0  # of them, how many may be others

    def __add__(self, other: Comparison) -> Comparison:
        """Over several pictures."""
        return Comparison(
            self.compared + other.compared,
            self.matched + other.matched,
            max(self.score, other.score),
            max(self.box, other.box),
            self.tokens + other.tokens,
            self.same_tokens + other.same_tokens,
            self.tied_tokens + other.tied_tokens,
        )

    def within(self, tolerance: float) -> bool:
        """Whether every detection has a partner that differs by at most ``tolerance``.

        Of the kept tokens a few may be others, as near ties at the end of the list may be.
        """
        enough = self.same_tokens + self.tied_tokens >= self.tokens
        return enough and self.matched == self.compared and max(self.score, self.box) <= tolerance

    def __str__(self) -> str:
        """All of it in a line."""
        told = (
            f"{self.matched} of {counted(self.compared, 'detection')} with the same label, largest "
            f"difference of scores {self.score:.2g}, of boxes {self.box:.2g} of the longer side"
        )
        return f"{told}, {self.same_tokens} of {self.tokens} kept tokens" if self.tokens else told


def compare_all(
    expected: Sequence[Detections],
    found: Sequence[Detections],
    longer_sides: Sequence[int],
    tolerance: float,
) -> Comparison:
    """Compare picture by picture; see ``compare``."""
    pairs = zip(expected, found, longer_sides, strict=True)
    return reduce(Comparison.__add__, (compare(*pair, tolerance) for pair in pairs), Comparison())


def compare(
    expected: Detections, found: Detections, longer_side: int, tolerance: float
) -> Comparison:
    """Compare one picture's detections, in both directions.

    Near ties may stand in another order, and at the end of a full list one of them may be missing.
    So the partner is the unused detection of the same label that is closest in box and score, and
    detections within ``tolerance`` of the last score are not required to have one.

    Args:
        expected: of the checkpoint.
        found: of the exported file.
        longer_side: of the picture, pixels.
        tolerance: of a score.
    """
    ends = [list_.scores[-1] for list_ in (expected, found) if len(list_.scores)]
    last = max(ends, default=0.0) + tolerance
    free = np.ones(len(found.scores), bool)
    result = Comparison()
    for box, score, label in zip(expected.boxes, expected.scores, expected.labels, strict=True):
        if score <= last:
            continue
        distance = np.abs(found.boxes - box).max(axis=1) / longer_side
        gap = np.abs(found.scores - score)
        usable = free & (found.labels == label)
        if not usable.any():
            result += Comparison(compared=1)
            continue
        partner = int(np.argmin(np.where(usable, np.maximum(distance, gap), np.inf)))
        free[partner] = False
        result += Comparison(1, 1, float(gap[partner]), float(distance[partner]))
    alone = int((free & (found.scores > last)).sum())
    return result + Comparison(compared=alone)


def compare_tokens(
    expected: Sequence[KeptTokens | None], found: Sequence[KeptTokens | None]
) -> Comparison:
    """Compare which tokens each layer kept, picture by picture, where the file tells them.

    Args:
        expected: of the checkpoint.
        found: of the exported file.
    """
    result = Comparison()
    for ours, theirs in zip(expected, found, strict=True):
        if ours is None or theirs is None:
            continue
        for limits in zip(ours.counts, theirs.counts, strict=True):
            lists = (ours.ranked[: limits[0]], theirs.ranked[: limits[1]])
            same = len(np.intersect1d(*lists))
            kept = int(max(limits))
            tied = max(1, int(TIED_TOKENS * kept))
            result += Comparison(tokens=kept, same_tokens=same, tied_tokens=tied)
    return result
