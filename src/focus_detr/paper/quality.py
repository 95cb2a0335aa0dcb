"""How well a selection keeps what boxes cover, over a data set, and Corr."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focus_detr.evaluation.correlation import Correlation, correlation
from focus_detr.paper.detectors import Seen
from focus_detr.paper.token_places import SIZES, TokenPlaces, size_class

ALL = "all"
_CLASSES = (ALL, *SIZES)


@dataclass(frozen=True)
class LayerQuality:
    """One encoder layer; shares over all pictures together, None where there is nothing to share.

    Tokens of the constant ring at the border (``TokenPlaces.border``) are left out.
    """

    kept: float | None  # share of the tokens
    precision: float | None  # share of the kept tokens that lies in some box
    recall: dict[str, float | None]  # share that is kept of the tokens in boxes, by their size
    reached: dict[str, float | None]  # share of the boxes, by size, with a kept token inside


@dataclass(frozen=True)
class Quality:
    """One detector."""

    detector: str
    pictures: int
    selects: bool
    covered: float | None  # share of all tokens in boxes: the precision of a blind choice
    boxes: dict[str, int]  # by size
    layers: tuple[LayerQuality, ...]
    corr: dict[str, float | None]  # three readings of table 3, see ``evaluation.correlation``


class QualityMeter:
    """Adds up pictures of one detector."""

    def __init__(self, detector: str, layers: int) -> None:
        """Begin with nothing.

        Args:
            detector: its name.
            layers: of its encoder.
        """
        self._detector = detector
        self._pictures, self._selects = 0, True
        self._tokens = self._covered = 0
        self._kept = np.zeros(layers, np.int64)
        self._hit = np.zeros(layers, np.int64)
        # by size class; recall's two parts and those of the boxes that are reached
        self._inside = np.zeros(len(_CLASSES), np.int64)
        self._recalled = np.zeros((layers, len(_CLASSES)), np.int64)
        self._boxes = np.zeros(len(_CLASSES), np.int64)
        self._reached = np.zeros((layers, len(_CLASSES)), np.int64)
        self._corr: list[list[float]] = []

    def add(self, seen: Seen) -> None:
        """Count a picture with its boxes."""
        places = TokenPlaces.of(seen.tokens)
        counts = places.inside & ~places.border  # [N]
        covered = places.covered(seen.photograph.boxes_at(*seen.tokens.image_size)) & counts
        kinds = _of_classes(seen.photograph.areas)  # [classes, T]
        inside = np.stack([covered[kind].any(axis=0) for kind in kinds])  # [classes, N]
        self._pictures += 1
        self._selects = seen.looks.scores is not None
        self._tokens += int(counts.sum())
        self._covered += int(inside[0].sum())
        self._inside += inside.sum(axis=1)
        self._boxes += kinds.sum(axis=1)
        for layer, count in enumerate(seen.tokens.counts):
            kept = np.zeros(len(counts), bool)
            kept[seen.tokens.ranked[:count]] = True
            kept &= counts
            self._kept[layer] += kept.sum()
            self._hit[layer] += (kept & inside[0]).sum()
            self._recalled[layer] += (inside & kept).sum(axis=1)
            self._reached[layer] += (kinds & (covered & kept).any(axis=1)).sum(axis=1)
        self._add_corr(seen, places)

    def _add_corr(self, seen: Seen, places: TokenPlaces) -> None:
        if seen.looks.attention is None:
            return
        found = correlation(
            seen.looks.attention[None],
            seen.tokens.ranked[None],
            seen.tokens.counts[None, 0],
            places.inside[None],
        )
        self._corr.append([float(value[0]) for value in found])

    def result(self) -> Quality:
        """All pictures so far."""
        layers = tuple(self._layer(layer) for layer in range(len(self._kept)))
        boxes = dict(zip(_CLASSES, self._boxes.tolist(), strict=True))
        covered = _share(self._covered, self._tokens)
        corr = self._mean_corr()
        return Quality(self._detector, self._pictures, self._selects, covered, boxes, layers, corr)

    def _layer(self, layer: int) -> LayerQuality:
        return LayerQuality(
            kept=_share(self._kept[layer], self._tokens),
            precision=_share(self._hit[layer], self._kept[layer]),
            recall=_by_class(self._recalled[layer], self._inside),
            reached=_by_class(self._reached[layer], self._boxes),
        )

    def _mean_corr(self) -> dict[str, float | None]:
        values = np.array(self._corr, np.float64).reshape(-1, len(Correlation._fields))
        columns = [column[np.isfinite(column)] for column in values.T]
        means = [float(column.mean()) if column.size else None for column in columns]
        return dict(zip(Correlation._fields, means, strict=True))


def _of_classes(areas: np.ndarray) -> np.ndarray:
    """Which boxes belong to all, small, medium, large: [T] areas -> [classes, T] bool."""
    sizes = size_class(areas)
    return np.stack([np.ones(len(areas), bool), *(sizes == size for size in range(len(SIZES)))])


def _by_class(parts: np.ndarray, wholes: np.ndarray) -> dict[str, float | None]:
    pairs = zip(_CLASSES, parts, wholes, strict=True)
    return {name: _share(part, whole) for name, part, whole in pairs}


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None


def quality_table(detectors: Sequence[Quality]) -> str:
    """A row for each detector in Markdown, as table 3 has them; first and last layer."""
    header = (
        "detector", "kept", "recall", "small", "medium", "large", "precision", "blind",
        "boxes reached, last layer", "Corr: kept", "best tenth", "most attended tenth",
    )  # fmt: skip
    lines = [header, ("---",) * len(header), *map(_cells, detectors)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cells(quality: Quality) -> tuple[str, ...]:
    first, last = quality.layers[0], quality.layers[-1]
    kept = f"{_told(first.kept)} to {_told(last.kept)}"
    recall = [f"{_told(first.recall[name])} to {_told(last.recall[name])}" for name in _CLASSES]
    precision = f"{_told(first.precision)} to {_told(last.precision)}"
    corr = ["-" if value is None else f"{value:.4f}" for value in quality.corr.values()]
    reached = _told(last.reached[ALL])
    return quality.detector, kept, *recall, precision, _told(quality.covered), reached, *corr


def _told(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
