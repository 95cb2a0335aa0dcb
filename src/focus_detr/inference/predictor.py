"""Detection on single pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np

from focus_detr.config.schema import DataConfig, ModelConfig
from focus_detr.data.buckets import ShapeBuckets, default_buckets, fit_size
from focus_detr.data.resampling import resize_bilinear_antialiased
from focus_detr.data.transforms import normalise, resized_size
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.loading import load_detector
from focus_detr.inference.postprocess import Detections, to_detections
from focus_detr.models.geometry import level_shapes

SMALLEST_SIDE = 30  # pixels; below there is nothing to see

DetectorCell = Callable[[ms.Tensor, ms.Tensor], Sequence[Any]]


@dataclass(frozen=True)
class Prediction:
    """What was found in one picture."""

    detections: Detections  # in pixels of the picture, best first
    names: tuple[str, ...]  # class name of each detection
    tokens: KeptTokens

    def above(self, threshold: float) -> Prediction:
        """Only the detections whose score is at least ``threshold``."""
        detections = self.detections.above(threshold)
        # Best first, so that what stays is the beginning.
        return replace(self, detections=detections, names=self.names[: len(detections.scores)])


class Predictor:
    """Detects on pictures of any size, one at a time."""

    def __init__(
        self,
        detector: DetectorCell,
        class_names: Sequence[str],
        model: ModelConfig | None = None,
        data: DataConfig | None = None,
    ) -> None:
        """Keep what a prediction needs.

        Args:
            detector: (images [1, 3, H, W], image_sizes [1, 2]) -> scores [1, R], labels [1, R],
                boxes [1, R, 4], ranked tokens [1, K], refined counts [1, layers].
            class_names: name of each label.
            model: gives the pixel statistics, the number of levels and the overlap limit.
            data: gives the test size and the shape buckets; each bucket is compiled once.
        """
        self.class_names = tuple(class_names)
        self._detector = detector
        self._model = model or ModelConfig()
        self._data = data or DataConfig()
        limits = self._data.test_short_side, self._data.test_max_side
        self._buckets = ShapeBuckets(self._data.shape_buckets or default_buckets(*limits))

    @classmethod
    def from_checkpoint(
        cls, path: str | Path, *, short_side: int | None = None, max_side: int | None = None
    ) -> Predictor:
        """Load a checkpoint.

        Args:
            path: the checkpoint.
            short_side: pixels that the short side is resized to, unless the long one would exceed
                ``max_side``; None: as the checkpoint remembers, but at most ``max_side``.
            max_side: None: as the checkpoint remembers, but at least ``short_side``.

        Raises:
            FocusDetrError: not a checkpoint of a detector.
        """
        loaded = load_detector(path)
        data = with_test_size(loaded.data, short_side, max_side)
        return cls(loaded.cell, loaded.classes.names, loaded.model, data)

    def predict(self, image: np.ndarray) -> Prediction:
        """Detect on one picture.

        Args:
            image: [H, W, 3] uint8 RGB, at least 30 pixels on each side.

        Raises:
            FocusDetrError: the picture is too small or no such array.
        """
        _check_image(image)
        height, width = image.shape[:2]
        batch, size = self._prepare(image)
        outputs = self._detector(ms.Tensor(batch), ms.Tensor(np.array([size], np.int32)))
        scores, labels, boxes, ranked, counts = (np.asarray(output)[0] for output in outputs)
        limit = self._model.overlap_limit
        detections = to_detections(scores, labels, boxes, (height, width), limit)
        shapes = level_shapes(batch.shape[2], batch.shape[3], self._model.levels)
        tokens = KeptTokens(ranked, counts, shapes, size)
        return Prediction(detections, tuple(map(self._name, detections.labels)), tokens)

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """[1, 3, H, W] padded to a bucket, and (height, width) of the picture inside."""
        height, width = image.shape[:2]
        limits = self._data.test_short_side, self._data.test_max_side
        planned = resized_size(height, width, *limits)
        bucket = self._buckets.bucket_for(*planned)
        size = fit_size(planned, bucket)
        resized = resize_bilinear_antialiased(image, size)
        batch = np.zeros((1, 3, *bucket), np.float32)
        backbone = self._model.backbone
        inside = batch[0, :, : size[0], : size[1]]
        normalise(resized, backbone.pixel_mean, backbone.pixel_std, out=inside)
        return batch, size

    def _name(self, label: int) -> str:
        known = label < len(self.class_names)
        return self.class_names[label] if known else f"class {label}"


def with_test_size(data: DataConfig, short_side: int | None, max_side: int | None) -> DataConfig:
    """Replace the sides (pixels) that are given; the other one gives way if they contradict."""
    if short_side is None:
        short_side = min(data.test_short_side, max_side or data.test_max_side)
    if max_side is None:
        max_side = max(data.test_max_side, short_side)
    return replace(data, test_short_side=short_side, test_max_side=max_side)


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise FocusDetrError(
            f"a picture must be [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
        )
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise FocusDetrError(
            f"the picture is {width}x{height} pixels; each side needs at least {SMALLEST_SIDE}"
        )
