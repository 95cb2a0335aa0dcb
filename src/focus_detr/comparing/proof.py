"""Whether two networks compute the same, list by list, where each took the choices of one of them.

Everything is compared number by number, in the order of the computation: the scores that a list is
chosen by tell of all that lies before it. A list itself must be the best of its own scores. So no
two scores can change places unless they are as near as the two networks' numbers are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from focus_detr.wording import counted

DETECTIONS = "class scores of the queries"
# of what is no score: below every real one
_NO_SCORE = -1e38
_FLAT = (
    0.1  # of the largest score: where all are closer to each other, they count as this far apart
)


@dataclass(frozen=True)
class Selection:
    """One list in one picture."""

    scores: np.ndarray  # [N] float32, chosen among; below -1e38: nothing to choose
    places: np.ndarray  # [K] int, best first


@dataclass(frozen=True)
class Computed:
    """What a network computed for one picture."""

    selections: Sequence[Selection]
    scores: np.ndarray  # [R]
    labels: np.ndarray  # [R] int
    boxes: np.ndarray  # [R, 4], in units of the picture's longer side
    tokens: Sequence[np.ndarray] = ()  # ranked and refined counts, if they are told


@dataclass(frozen=True)
class Proof:
    """The differences of one picture or several."""

    difference: float = 0.0  # the largest; of a list's scores in units of their range
    where: str = ""  # it is
    fault: str = ""  # the first place where the networks part
    places: int = 0  # in all lists
    swapped: int = 0  # of them, where the other network by itself would have chosen another
    margin: float = 0.0  # largest gap of scores that was jumped, in units of their range

    def __add__(self, other: Proof) -> Proof:
        """Over several pictures."""
        worse = max(self, other, key=lambda proof: proof.difference)
        return Proof(
            worse.difference,
            worse.where,
            self.fault or other.fault,
            self.places + other.places,
            self.swapped + other.swapped,
            max(self.margin, other.margin),
        )

    def __str__(self) -> str:
        """All of it in a line."""
        told = f"largest difference of numbers {self.difference:.2g}, of {self.where}"
        if not self.swapped:
            return f"{told}; all lists chosen alike"
        return (
            f"{told}; {self.swapped} of {counted(self.places, 'place')} in lists went to another "
            f"of nearly equal scores, at most {self.margin:.2g} apart"
        )


def prove(names: Sequence[str], expected: Computed, found: Computed, tolerance: float) -> Proof:
    """Compare one picture.

    Args:
        names: of the selections.
        expected: of the network that was given the choices of the other.
        found: of the other.
        tolerance: largest difference; of a list's scores in units of their range, of the
            detections' scores, and of boxes in units of the picture's longer side.
    """
    if _shapes(expected) != _shapes(found):
        return Proof(np.inf, "the lists", "its lists are of other lengths")
    triples = zip(names, expected.selections, found.selections, strict=True)
    stages = (_stage(*triple, tolerance) for triple in triples)
    return reduce(Proof.__add__, (*stages, *_ends(expected, found, tolerance)))


def fault_of_lists(names: Sequence[str], selections: Sequence[Selection]) -> str:
    """Which list is not of the highest of its own scores, in words; empty: none."""
    for name, selection in zip(names, selections, strict=True):
        if not _is_best(selection):
            return f"the list by its {name} is not of the highest ones"
    return ""


def _shapes(computed: Computed) -> list[tuple[int, ...]]:
    """Of all arrays but the tokens, which one of the networks need not tell."""
    lists = [array for item in computed.selections for array in (item.scores, item.places)]
    return [array.shape for array in (*lists, computed.scores, computed.labels, computed.boxes)]


def _stage(name: str, expected: Selection, found: Selection, tolerance: float) -> Proof:
    span = _span(expected.scores)
    difference = _difference(expected.scores, found.scores) / span
    if difference > tolerance:
        return Proof(difference, name, _parted(name, difference, " of their range"))
    if fault := fault_of_lists([name], [found]):
        return Proof(np.inf, name, fault)
    ours = np.sort(expected.scores)[::-1][: len(found.places)].astype(np.float64)
    gaps = np.abs(ours - expected.scores[found.places]) / span
    return Proof(
        difference,
        name,
        places=len(gaps),
        swapped=int((gaps > 0).sum()),
        margin=float(gaps.max(initial=0.0)),
    )


def _ends(expected: Computed, found: Computed, tolerance: float) -> Iterator[Proof]:
    """The detections of the same queries and classes, and the tokens if both tell them."""
    for name, ours, theirs in (
        ("scores of the detections", expected.scores, found.scores),
        ("boxes of the detections", expected.boxes, found.boxes),
    ):
        difference = _difference(ours, theirs)
        fault = "" if difference <= tolerance else _parted(name, difference)
        yield Proof(difference, name, fault)
    exact = [("labels", expected.labels, found.labels)]
    exact += zip(("kept tokens", "numbers of them"), expected.tokens, found.tokens, strict=False)
    for name, ours, theirs in exact:
        if not np.array_equal(ours, theirs):
            yield Proof(np.inf, name, f"the {name} of the same choices are others")


def _parted(name: str, difference: float, unit: str = "") -> str:
    return f"the first numbers that differ are the {name}, by up to {difference:.2g}{unit}"


def _difference(expected: np.ndarray, found: np.ndarray) -> float:
    """The largest; infinite where only one is a score, or one is not finite."""
    real = expected > _NO_SCORE
    if not (np.isfinite(found).all() and np.array_equal(real, found > _NO_SCORE)):
        return float("inf")
    gaps = np.abs(found[real].astype(np.float64) - expected[real])
    return float(gaps.max(initial=0.0))


def _span(scores: np.ndarray) -> float:
    """Highest less lowest score."""
    real = scores[scores > _NO_SCORE].astype(np.float64)
    if not real.size:
        return 1.0
    return max(float(np.ptp(real)), _FLAT * float(np.abs(real).max()), float(np.finfo("f4").tiny))


def _is_best(selection: Selection) -> bool:
    """Whether the places are those of the highest scores, each once and the best first."""
    scores, places = selection.scores, selection.places
    if len(np.unique(places)) < len(places) or not np.isin(places, np.arange(len(scores))).all():
        return False
    return np.array_equal(np.sort(scores)[::-1][: len(places)], scores[places])
