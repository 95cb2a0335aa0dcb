"""Object tokens in numbers: figure 6b, and what a picture of it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.token_overlay import cell_map
from focus_detr.paper.detectors import Seen
from focus_detr.paper.token_places import TokenPlaces


@dataclass(frozen=True)
class ObjectLayer:
    """Object tokens of one encoder layer, in one picture or as means over several."""

    pool: float  # tokens that they are chosen from
    objects: float  # as many in every layer, unless the pool is smaller
    by_level: tuple[float, ...]  # share of the object tokens on each level
    inside: float | None  # share that lies in some box; None: no boxes are known
    overlap: float | None  # share that the layer before chose too; None: it is the first


@dataclass(frozen=True)
class ObjectCounts:
    """One picture."""

    picture: str
    layers: tuple[ObjectLayer, ...]
    covered: float | None  # share of all tokens that lies in some box, for comparison


def count_objects(seen: Seen) -> ObjectCounts:
    """Count a picture's object tokens; boxes are those of its photograph."""
    places = TokenPlaces.of(seen.tokens)
    lies = None
    if len(seen.photograph.boxes):
        boxes = seen.photograph.boxes_at(*seen.tokens.image_size)
        lies = places.covered(boxes).any(axis=0)  # [N]
    before: np.ndarray | None = None
    layers = []
    for layer, objects in enumerate(seen.looks.objects):
        pool = float(seen.tokens.counts[layer])
        layers.append(_layer(objects, before, pool, places, lies))
        before = objects
    covered = None if lies is None else float(lies[places.inside].mean())
    return ObjectCounts(seen.photograph.name, tuple(layers), covered)


def _layer(
    objects: np.ndarray,
    before: np.ndarray | None,
    pool: float,
    places: TokenPlaces,
    lies: np.ndarray | None,
) -> ObjectLayer:
    counts = np.bincount(places.levels[objects], minlength=places.count)
    return ObjectLayer(
        pool=pool,
        objects=float(len(objects)),
        by_level=tuple((counts / max(len(objects), 1)).tolist()),
        inside=None if lies is None else float(lies[objects].mean()),
        overlap=None if before is None else float(np.isin(objects, before).mean()),
    )


def mean_objects(pictures: Sequence[ObjectCounts]) -> list[ObjectLayer]:
    """Means over pictures, layer by layer; boxes count where there are some."""
    layers = zip(*(picture.layers for picture in pictures), strict=True)
    return [_mean(layer) for layer in layers]


def _mean(layers: Sequence[ObjectLayer]) -> ObjectLayer:
    levels = zip(*(layer.by_level for layer in layers), strict=True)
    return ObjectLayer(
        pool=fmean(layer.pool for layer in layers),
        objects=fmean(layer.objects for layer in layers),
        by_level=tuple(map(fmean, levels)),
        inside=_mean_known([layer.inside for layer in layers]),
        overlap=_mean_known([layer.overlap for layer in layers]),
    )


def _mean_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def score_map(tokens: KeptTokens, scores: np.ndarray, panel: tuple[int, int]) -> np.ndarray:
    """Foreground probability over a picture: of each place the highest of all levels.

    Tokens of the constant ring at the border (``TokenPlaces.border``) count as 0.

    Args:
        tokens: of the picture.
        scores: [N] logits.
        panel: (height, width) of the map.

    Returns:
        [height, width] float, 0..1.
    """
    places = TokenPlaces.of(tokens)
    shares = 1 / (1 + np.exp(-scores.astype(np.float64)))  # sigmoid
    shares[places.border | ~places.inside] = 0
    highest = np.zeros(panel)
    for level, (rows, columns) in enumerate(tokens.level_shapes):
        cells = shares[places.levels == level].reshape(rows, columns)  # [h, w]
        spread = cell_map(cells, tokens.stride(level), tokens.image_size, panel)
        highest = np.maximum(highest, spread)
    return highest
