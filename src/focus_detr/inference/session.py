"""Predicting many pictures: drawings, token pictures and one JSON of all detections."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from focus_detr.data.image_io import read_image
from focus_detr.errors import FocusDetrError
from focus_detr.files import write_json
from focus_detr.inference.drawing import draw_detections
from focus_detr.inference.image_writing import write_image
from focus_detr.inference.inputs import ImageInput
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.token_overlay import draw_token_overlay

_log = logging.getLogger(__name__)


class PicturePredictor(Protocol):
    """Detects on one picture, with whatever engine."""

    def predict(self, image: np.ndarray) -> Prediction:
        """Detect on [H, W, 3] uint8 RGB."""


@dataclass(frozen=True)
class OutputOptions:
    """What to write, and where."""

    folder: Path
    json_file: Path
    threshold: float = 0.3  # smallest score that is drawn and listed
    tokens: bool = False  # also draw which tokens the encoder kept


@dataclass(frozen=True)
class Summary:
    """What became of the pictures."""

    images: int
    detections: int
    failed: int


def predict_images(
    predictor: PicturePredictor, inputs: Sequence[ImageInput], options: OutputOptions
) -> Summary:
    """Predict, draw and list; a broken picture from a folder is skipped with a warning.

    Raises:
        FocusDetrError: a picture given by name is broken, or a result cannot be written.
    """
    records: list[dict[str, Any]] = []
    failed = 0
    hidden = True if len(inputs) == 1 else None  # None: shown on a terminal only
    for item in tqdm(inputs, "predict", unit="image", disable=hidden):
        try:
            image, prediction = _predict(predictor, item)
        except FocusDetrError as error:
            if item.named:
                raise
            failed += 1
            _log.warning("skipped: %s", error)
            continue
        shown = prediction.above(options.threshold)
        _draw(item, image, shown, options)
        records.append(_record(item, image, shown))
    if failed:
        _log.warning("%d of %d pictures were skipped", failed, len(inputs))
    write_json(options.json_file, records, indent=1)
    return Summary(len(records), sum(len(record["detections"]) for record in records), failed)


def _predict(predictor: PicturePredictor, item: ImageInput) -> tuple[np.ndarray, Prediction]:
    image = read_image(item.path)
    try:
        return image, predictor.predict(image)
    except FocusDetrError as error:
        raise FocusDetrError(f"{item.path}: {error}") from error


def _draw(
    item: ImageInput, image: np.ndarray, prediction: Prediction, options: OutputOptions
) -> None:
    path = options.folder / item.result
    write_image(path, draw_detections(image, prediction.detections, prediction.names))
    if options.tokens:
        if prediction.tokens is None:
            raise FocusDetrError("an exported model does not tell which tokens it kept")
        overlay = draw_token_overlay(image, prediction.tokens, item.path.name)
        write_image(path.with_name(f"{path.stem}_tokens.png"), overlay)


def _record(item: ImageInput, image: np.ndarray, prediction: Prediction) -> dict[str, Any]:
    """One picture's entry of the JSON file; boxes are x1, y1, x2, y2 in pixels."""
    found = prediction.detections
    detections = [
        {"label": label, "name": name, "score": round(score, 5), "box": np.round(box, 2).tolist()}
        for label, name, score, box in zip(
            found.labels.tolist(),
            prediction.names,
            found.scores.tolist(),
            found.boxes.astype(np.float64),
            strict=True,
        )
    ]
    height, width = image.shape[:2]
    return {
        "image": str(item.path),
        "width": width,
        "height": height,
        "detections": detections,
    }
