"""Kept tokens in numbers: what figures 1, 4, 6a, 9 and 10 show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from focus_detr.inference.records import detection_records
from focus_detr.paper.detectors import Seen
from focus_detr.paper.token_places import TokenPlaces


@dataclass(frozen=True)
class LevelCount:
    """Tokens of one level."""

    stride: int  # pixels
    kept: int
    cells: int  # that touch the image
    border: int  # of the kept ones, those of the constant ring (``TokenPlaces.border``)


@dataclass(frozen=True)
class LayerCount:
    """Tokens of one encoder layer."""

    kept: int
    cells: int
    levels: tuple[LevelCount, ...]
    objects: tuple[int, ...]  # object tokens of each level; none without dual attention


@dataclass(frozen=True)
class TokenCounts:
    """One detector on one picture."""

    detector: str
    picture: str
    image_size: tuple[int, int]  # (height, width) in pixels, as the network sees it
    selects: bool  # False: a dense encoder, which keeps all tokens
    layers: tuple[LayerCount, ...]
    detections: tuple[dict[str, Any], ...]  # that are drawn


def count_tokens(detector: str, seen: Seen, threshold: float) -> TokenCounts:
    """Count a picture's tokens by layer and level.

    Args:
        detector: its name.
        seen: what it did.
        threshold: smallest score of a detection that is listed.
    """
    places = TokenPlaces.of(seen.tokens)
    layers = tuple(_layer(seen, places, layer) for layer in range(seen.tokens.layers))
    return TokenCounts(
        detector=detector,
        picture=seen.photograph.name,
        image_size=seen.tokens.image_size,
        selects=seen.looks.scores is not None,
        layers=layers,
        detections=tuple(detection_records(seen.prediction.above(threshold))),
    )


def kept_tokens(seen: Seen, layer: int, level: int | None = None) -> np.ndarray:
    """Token numbers that a layer refined, of all levels or of one, padding left out: [K]."""
    places = TokenPlaces.of(seen.tokens)
    kept = seen.tokens.ranked[: seen.tokens.counts[layer]]
    chosen = places.inside[kept]
    if level is not None:
        chosen &= places.levels[kept] == level
    return kept[chosen]


def strides_of(seen: Seen) -> list[int]:
    """Pixels per cell of each level."""
    return [seen.tokens.stride(level) for level in range(seen.tokens.levels)]


def _layer(seen: Seen, places: TokenPlaces, layer: int) -> LayerCount:
    levels = tuple(_level(seen, places, layer, level) for level in range(places.count))
    objects: tuple[int, ...] = ()
    if seen.looks.objects:
        counts = np.bincount(places.levels[seen.looks.objects[layer]], minlength=places.count)
        objects = tuple(counts.tolist())
    kept = sum(level.kept for level in levels)
    return LayerCount(kept, sum(level.cells for level in levels), levels, objects)


def _level(seen: Seen, places: TokenPlaces, layer: int, level: int) -> LevelCount:
    kept = kept_tokens(seen, layer, level)
    cells = int((places.inside & (places.levels == level)).sum())
    return LevelCount(seen.tokens.stride(level), len(kept), cells, int(places.border[kept].sum()))
