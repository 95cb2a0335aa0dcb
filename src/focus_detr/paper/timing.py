"""How long a detector takes for pictures, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from tqdm import tqdm

from focus_detr.inference.loading import LoadedDetector
from focus_detr.inference.postprocess import Suppression, to_detections
from focus_detr.inference.predictor import preparation
from focus_detr.inference.preparation import PreparedPicture
from focus_detr.models.detector import Detector

WARM_UP = 10  # pictures, as papers have it
ReadPicture = Callable[[], np.ndarray]  # [H, W, 3] uint8 RGB


@dataclass(frozen=True)
class Times:
    """Milliseconds of one picture at a time, without reading and resizing it; medians."""

    device: str
    precision: str
    pictures: int  # timed, after the warm-up
    features: float  # backbone and neck
    encoder: float  # with the selection of its tokens
    decoder: float  # with proposals, heads and the choice of detections
    rest: float  # from detections of the network to boxes in the picture
    latency: float  # of all
    per_second: float  # pictures: 1 by the mean latency


class _Stage(nn.Cell):
    """A part of a detector that is compiled by itself."""

    def __init__(self, detector: Detector) -> None:
        super().__init__(auto_prefix=False)
        self.detector = detector
        self.model = detector.model
        self.set_train(False)


class FeatureStage(_Stage):
    """Pixels to the neck's maps."""

    def construct(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """[B, 3, H, W] and [B, 2] -> a map per level."""
        grid = self.model.build_grid(images, sizes)
        return self.model.features(images, sizes, grid)


class EncoderStage(_Stage):
    """Maps to memory."""

    def construct(self, images: Tensor, sizes: Tensor, *maps: Tensor) -> Tensor:
        """A map per level -> [B, N, C]; of ``images`` the shape alone counts."""
        grid, shapes = self.model.build_grid(images, sizes), self.model.shapes(images)
        tokens = self.model.tokens(maps)
        selection = self.model.select(tokens, grid, shapes)
        return self.model.encode(tokens, selection, grid, shapes)["memory"]


class DecoderStage(_Stage):
    """Memory to detections."""

    def construct(self, images: Tensor, sizes: Tensor, memory: Tensor) -> tuple[Tensor, ...]:
        """[B, N, C] -> scores [B, R], labels [B, R], boxes [B, R, 4] in 0..1."""
        grid, shapes = self.model.build_grid(images, sizes), self.model.shapes(images)
        queries = self.model.propose(memory, grid)
        decoded = self.model.decode(queries, None, memory, grid, shapes)
        logits, boxes = decoded["logits"][-1], decoded["boxes"][-1]
        return self.detector.best(logits, boxes, queries["real"])


def time_detector(
    loaded: LoadedDetector,
    pictures: Sequence[ReadPicture],
    limit: int,
    name: str = "timing",
    warm_up: int = WARM_UP,
) -> Times:
    """Time a detector in four parts, one picture at a time.

    The first pictures, and the first of every padded shape, warm it up: of few pictures, these come
    again.

    Args:
        loaded: the detector.
        pictures: each is read when its turn comes; at least one.
        limit: how many are timed.
        name: of the detector, for the bar.
        warm_up: how many come before those that are timed.
    """
    stages = [kind(loaded.cell) for kind in (FeatureStage, EncoderStage, DecoderStage)]
    prepare, backbone = preparation(loaded.data), loaded.model.backbone
    suppression = Suppression(loaded.model.overlap_limit, loaded.model.max_detections)
    met: set[tuple[int, int]] = set()
    rows: list[list[float]] = []
    bar = tqdm(range(warm_up + limit), name, unit="picture", disable=None, leave=False)
    for number in bar:
        picture = pictures[number % len(pictures)]()
        prepared = prepare(picture)
        normalised = prepared.normalised(backbone.pixel_mean, backbone.pixel_std)
        if prepared.bucket not in met:
            met.add(prepared.bucket)
            _time(stages, normalised, prepared, picture, suppression)
        row = _time(stages, normalised, prepared, picture, suppression)
        if number >= warm_up:
            rows.append(row)
    return _summary(rows)


def _time(
    stages: Sequence[nn.Cell],
    normalised: np.ndarray,
    prepared: PreparedPicture,
    picture: np.ndarray,
    suppression: Suppression,
) -> list[float]:
    """Milliseconds of the three stages and of the rest."""
    image = Tensor(normalised[None]), Tensor(np.array([prepared.size], np.int32))
    features, encoder, decoder = stages
    maps, first = _timed(lambda: features(*image))
    memory, second = _timed(lambda: encoder(*image, *maps))
    found, third = _timed(lambda: decoder(*image, memory))
    height, width = picture.shape[:2]

    def finish() -> Any:
        """From the network's outputs to boxes in the picture."""
        scores, labels, boxes = (output.asnumpy()[0] for output in found)
        return to_detections(scores, labels, boxes, (height, width), suppression)

    return [first, second, third, _timed(finish)[1]]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Milliseconds until the last output, the smallest of several, can be read."""
    start = time.perf_counter()
    result = call()
    last = result[-1] if isinstance(result, tuple) else result
    if isinstance(last, Tensor):
        last.asnumpy()
    return result, 1000 * (time.perf_counter() - start)


def _summary(rows: Sequence[Sequence[float]]) -> Times:
    totals = [sum(row) for row in rows]
    features, encoder, decoder, rest = (median(column) for column in zip(*rows, strict=True))
    return Times(
        device=ms.get_context("device_target"),
        precision="float32",
        pictures=len(rows),
        features=features,
        encoder=encoder,
        decoder=decoder,
        rest=rest,
        latency=median(totals),
        per_second=1000 / fmean(totals),
    )
