"""What detectors cost: weights, multiply-adds and, if they are run, time.

Figures 2 and 7, tables 1, 6 and 9 of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, pstdev
from typing import Any

from focus_detr.config.schema import PROPOSING, ModelConfig
from focus_detr.data.buckets import Size
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.models.flops import (
    MultiplyAdds,
    count_multiply_adds,
    refined_counts,
    token_count,
)
from focus_detr.models.parameter_counts import (
    ParameterCounts,
    count_parameters,
    count_trainable,
)
from focus_detr.paper.counted import count_built
from focus_detr.paper.published import Published
from focus_detr.paper.timing import Times

COCO_CLASSES = 80
BILLION = 1e9
_CHECKED_WINDOWS = 32  # pixels per cell of the last stage: no window has cells to fill up


@dataclass(frozen=True)
class Parts:
    """Multiply-adds of one image, in three parts."""

    features: float  # backbone and neck
    encoder: float  # with the selection of its tokens
    decoder: float  # with the proposals and all heads

    @property
    def total(self) -> float:
        """All three."""
        return self.features + self.encoder + self.decoder


@dataclass(frozen=True)
class Check:
    """The formula beside a count of the built network, on an image of this size."""

    height: int  # pixels
    width: int
    formula: int
    built: int


@dataclass(frozen=True)
class Built:
    """What a built network tells."""

    weights: ParameterCounts
    trainable: int  # of them, those that training changes
    check: Check | None = None

    @classmethod
    def of(cls, model: DETR, check: Check | None = None) -> Built:
        """Count the weights of a network."""
        return cls(count_parameters(model), count_trainable(model), check)


@dataclass(frozen=True)
class Cost:
    """One detector on some images."""

    published: Published
    sizes: tuple[Size, ...]  # (height, width) of the images as the network sees them
    tokens: float  # N, mean over the images
    kept: tuple[float, ...]  # of each encoder layer, likewise
    built: Built
    parts: Parts  # means over the images
    spread: float  # standard deviation of the total over them
    times: Times | None = None

    def record(self) -> dict[str, Any]:
        """As JSON; multiply-adds are whole, not billions."""
        record = asdict(self)
        record |= record.pop("built")
        record["published"] |= {"name": self.published.name}
        record["weights"] |= {"total": self.built.weights.total}
        record["parts"] |= {"total": self.parts.total}
        return record


def split_parts(config: ModelConfig, counts: MultiplyAdds) -> Parts:
    """Put the parts of a count together as they are timed."""
    selects = config.foreground_selector.enabled
    projects = selects and config.foreground_selector.features == "projection"
    proposes = config.queries.source in PROPOSING
    scoring = counts.memory_projection * projects / max(projects + proposes, 1)
    encoder = (
        counts.score_mlp
        + scoring
        + counts.dual_attention
        + counts.encoder_layers
        + counts.category_head
        + counts.encoder_sampling
    )
    features = counts.backbone + counts.neck
    return Parts(features, encoder, counts.total - features - encoder)


def mean_parts(config: ModelConfig, classes: int, sizes: Sequence[Size]) -> tuple[Parts, float]:
    """Multiply-adds over images of these sizes: means, and the deviation of the total."""
    counts = [split_parts(config, count_multiply_adds(config, classes, *size)) for size in sizes]
    means = {part.name: fmean(getattr(c, part.name) for c in counts) for part in fields(Parts)}
    return Parts(**means), pstdev(count.total for count in counts)


def count_cost(
    published: Published,
    config: ModelConfig,
    sizes: Sequence[Size],
    *,
    built: Built,
    times: Times | None = None,
) -> Cost:
    """Count one row; the arguments are those of ``Cost``."""
    classes = config.num_classes or COCO_CLASSES
    tokens = [token_count(config, *size) for size in sizes]
    layers = zip(*(refined_counts(config, count) for count in tokens), strict=True)
    parts, spread = mean_parts(config, classes, sizes)
    kept = tuple(fmean(layer) for layer in layers)
    shape = tuple(sizes)
    return Cost(published, shape, fmean(tokens), kept, built, parts, spread, times)


def checked_size(config: ModelConfig) -> Size:
    """An image on which formula and built network should agree, windows of Swin included."""
    side = config.backbone.window * _CHECKED_WINDOWS
    return side, side


def build_and_check(config: ModelConfig, *, check: bool) -> Built:
    """Weights of a built network and, if asked for, its count on a small image."""
    classes = config.num_classes or COCO_CLASSES
    model = build_model(config, classes)
    if not check:
        return Built.of(model)
    height, width = checked_size(config)
    formula = count_multiply_adds(config, classes, height, width).total
    found = sum(count_built(model, height, width).values())
    return Built.of(model, Check(height, width, formula, found))
