"""Detection on single pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np

from focus_detr.config.schema import DataConfig, ModelConfig
from focus_detr.data.buckets import Size, default_buckets
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.loading import load_detector
from focus_detr.inference.postprocess import Suppression, to_detections
from focus_detr.inference.prediction import Prediction, class_name
from focus_detr.inference.preparation import Preparation
from focus_detr.inference.recorded_looks import looks_of
from focus_detr.models.choice_recorder import ChoiceRecorder
from focus_detr.models.geometry import first_stride, level_shapes

DetectorCell = Callable[[ms.Tensor, ms.Tensor], Sequence[Any]]

_RANKED = 3  # place of the ranked tokens among a detector's outputs
_TOLD = 5  # outputs of every detector


class Predictor:
    """Detects on pictures of any size, one at a time."""

    batch = 1  # pictures at once

    def __init__(
        self,
        detector: DetectorCell,
        class_names: Sequence[str],
        model: ModelConfig | None = None,
        data: DataConfig | None = None,
        recorder: ChoiceRecorder | None = None,
    ) -> None:
        """Keep what a prediction needs.

        Args:
            detector: (images [1, 3, H, W], image_sizes [1, 2]) -> scores [1, R], labels [1, R],
                boxes [1, R, 4], ranked tokens [1, K], refined counts [1, layers]; if it tells the
                decoder's attention, that follows, [1, N].
            class_names: name of each label.
            model: gives the pixel statistics, the number of levels and which detections stay.
            data: gives the test size and the shape buckets; each bucket is compiled once.
            recorder: of the detector's choices; None: predictions come without ``looks``.
        """
        self.class_names = tuple(class_names)
        self._detector = detector
        self.model = model or ModelConfig()
        self._prepare = preparation(data or DataConfig())
        self._recorder = recorder

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        short_side: int | None = None,
        max_side: int | None = None,
        graphs: str | None = None,
        precision: str | None = None,
        looks: bool = False,
        attention: bool = False,
    ) -> Predictor:
        """Load a checkpoint.

        Args:
            path: the checkpoint.
            short_side: pixels that the short side is resized to, unless the long one would exceed
                ``max_side``; None: as the checkpoint remembers, but at most ``max_side``.
            max_side: None: as the checkpoint remembers, but at least ``short_side``.
            graphs: folder of compiled graphs to start with and to leave new ones in.
            precision: as for ``load_detector``.
            looks: whether predictions tell what the network looked at.
            attention: and what the decoder did.

        Raises:
            FocusDetrError: as ``load_detector``.
        """
        loaded = load_detector(path, precision=precision, tells_attention=attention)
        loaded.keep_graphs(graphs)
        data = with_test_size(loaded.data, short_side, max_side)
        recorder = ChoiceRecorder(loaded.cell.model, image_shapes(data)) if looks else None
        return cls(loaded.cell, loaded.classes.names, loaded.model, data, recorder)

    def predict_batch(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Detect on pictures, each [H, W, 3] uint8 RGB, one after the other; see ``predict``."""
        return [self.predict(image) for image in images]

    def predict(self, image: np.ndarray) -> Prediction:
        """Detect on one picture.

        Args:
            image: [H, W, 3] uint8 RGB, at least 30 pixels on each side.

        Raises:
            FocusDetrError: the picture is too small or no such array.
        """
        prepared = self._prepare(image)
        backbone = self.model.backbone
        batch = prepared.normalised(backbone.pixel_mean, backbone.pixel_std)[None]
        sizes = np.array([prepared.size], np.int32)
        outputs = self._detector(ms.Tensor(batch), ms.Tensor(sizes))
        rows = [np.asarray(output)[0] for output in outputs]
        height, width = image.shape[:2]
        prediction = to_prediction(
            rows[:_TOLD],
            self.model,
            self.class_names,
            file_size=(height, width),
            seen_size=prepared.size,
            bucket=prepared.bucket,
        )
        if self._recorder is None:
            return prediction
        attention = rows[_TOLD] if len(rows) > _TOLD else None
        choices = self._recorder.last(*prepared.bucket)
        return replace(prediction, looks=looks_of(choices, rows[_RANKED], attention))


def to_prediction(
    rows: Sequence[np.ndarray],
    model: ModelConfig,
    class_names: tuple[str, ...],
    *,
    file_size: Size,
    seen_size: Size,
    bucket: Size,
) -> Prediction:
    """What the detector's outputs for one image say.

    Args:
        rows: scores [R], labels [R], boxes [R, 4] in 0..1, ranked tokens [K], refined counts
            [layers].
        model: of the detector.
        class_names: name of each label.
        file_size: (height, width) that boxes are wanted in.
        seen_size: (height, width) as the network saw the image, without padding.
        bucket: (height, width) with it.

    Raises:
        FocusDetrError: a score or box is not finite.
    """
    scores, labels, boxes, ranked, counts = rows
    suppression = Suppression(model.overlap_limit, model.max_detections)
    detections = to_detections(scores, labels, boxes, file_size, suppression)
    tokens = KeptTokens(
        ranked, counts, level_shapes(*bucket, model.levels), seen_size, first_stride(model.levels)
    )
    names = tuple(class_name(label, class_names) for label in detections.labels)
    return Prediction(detections, names, tokens)


def image_shapes(data: DataConfig) -> tuple[Size, ...]:
    """The (H, W) that pictures are padded to."""
    return data.shape_buckets or default_buckets(data.test_short_side, data.test_max_side)


def preparation(data: DataConfig) -> Preparation:
    """How the settings want pictures resized."""
    return Preparation(data.test_short_side, data.test_max_side, image_shapes(data))


def with_test_size(data: DataConfig, short_side: int | None, max_side: int | None) -> DataConfig:
    """Replace the sides (pixels) that are given; the other one gives way if they contradict."""
    if short_side is None:
        short_side = min(data.test_short_side, max_side or data.test_max_side)
    if max_side is None:
        max_side = max(data.test_max_side, short_side)
    return replace(data, test_short_side=short_side, test_max_side=max_side)
