"""Pictures of an evaluation: what the detector found in a few images, and which tokens it kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focus_detr.config.schema import ModelConfig
from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.data.json_fields import ImageId
from focus_detr.deploy.opening import USUAL_THRESHOLD
from focus_detr.inference.batch_drawing import unnormalised
from focus_detr.inference.drawing import draw_detections
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.predictor import to_prediction
from focus_detr.inference.token_overlay import draw_token_overlay


@dataclass(frozen=True)
class _Sample:
    """One image and what the detector says about it."""

    image_id: ImageId | None
    image: np.ndarray  # [h, w, 3] uint8 RGB, as the network saw it, without padding
    prediction: Prediction


class Gallery:
    """Draws the first images of an evaluation, which are the same ones each time."""

    def __init__(self, count: int, class_names: Sequence[str], model: ModelConfig) -> None:
        """Begin an empty one.

        Args:
            count: images to draw.
            class_names: name of each label.
            model: of the detector.
        """
        self._count = count
        self._class_names = tuple(class_names)
        self._model = model
        self._samples: list[_Sample] = []

    def watch(self, batch: Batch, outputs: Sequence[np.ndarray]) -> None:
        """Keep what will be drawn of a batch, as long as there are too few images.

        Args:
            batch: what the detector was given.
            outputs: scores [B, R], labels [B, R], boxes [B, R, 4] in 0..1 of each image, ranked
                tokens [B, K], refined counts [B, layers].
        """
        for slot, image_id in enumerate(batch.image_ids):
            if len(self._samples) < self._count and image_id is not BLANK_ID:
                rows = [output[slot].copy() for output in outputs]
                self._samples.append(self._sample(batch, slot, rows))

    def take(self) -> dict[str, np.ndarray]:
        """Draw the images and forget them.

        Returns:
            [h, w, 3] uint8 RGB by name: ``detections/<image id>`` and ``kept_tokens/<image id>``.
        """
        samples, self._samples = self._samples, []
        drawn = {}
        for sample in samples:
            shown, title = sample.prediction.above(USUAL_THRESHOLD), f"image {sample.image_id}"
            found = draw_detections(sample.image, shown.detections, shown.names)
            drawn[f"detections/{sample.image_id}"] = found
            if shown.tokens is not None:
                tokens = draw_token_overlay(sample.image, shown.tokens, title)
                drawn[f"kept_tokens/{sample.image_id}"] = tokens
        return drawn

    def _sample(self, batch: Batch, slot: int, rows: Sequence[np.ndarray]) -> _Sample:
        height, width = batch.image_sizes[slot].tolist()
        backbone = self._model.backbone
        image = unnormalised(batch.images[slot], backbone.pixel_mean, backbone.pixel_std)
        prediction = to_prediction(
            rows,
            self._model,
            self._class_names,
            file_size=(height, width),
            seen_size=(height, width),
            bucket=(image.shape[0], image.shape[1]),
        )
        return _Sample(batch.image_ids[slot], image[:height, :width], prediction)
