"""Predicting many pictures: drawings, token pictures and one JSON of all detections."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from focus_detr.data.image_io import read_image
from focus_detr.errors import FocusDetrError
from focus_detr.inference.drawing import draw_detections
from focus_detr.inference.image_writing import write_image
from focus_detr.inference.inputs import ImageInput, token_picture
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.rate import Rate
from focus_detr.inference.records import detection_records
from focus_detr.inference.token_overlay import draw_token_overlay
from focus_detr.io.files import write_json
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


Picture = tuple[ImageInput, np.ndarray]  # and its pixels, [H, W, 3] uint8 RGB


class PicturePredictor(Protocol):
    """Detects on pictures, with whatever engine."""

    @property
    def batch(self) -> int:
        """Pictures that are best given at once."""

    class_names: tuple[str, ...]

    def predict(self, image: np.ndarray) -> Prediction:
        """Detect on one picture, [H, W, 3] uint8 RGB."""

    def predict_batch(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Detect on several pictures, each [H, W, 3] uint8 RGB; in their order."""


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
    per_second: float = field(default=0.0, compare=False)  # pictures, drawn and written

    def told(self, unit: str) -> str:
        """In words; ``unit`` is what was looked at: "picture" or "frame"."""
        found, images = counted(self.detections, "detection"), counted(self.images, unit)
        return f"{found} in {images} at {self.per_second:.1f} a second"


def predict_images(
    predictor: PicturePredictor, inputs: Sequence[ImageInput], options: OutputOptions
) -> Summary:
    """Predict, draw and list; a broken picture from a folder is skipped with a warning.

    Raises:
        FocusDetrError: a picture given by name is broken, or a result cannot be written; as for
            an interrupt, the pictures that are done are listed, and it says where.
        KeyboardInterrupt: it came on the way.
    """
    records: list[dict[str, Any]] = []
    failed, rate = 0, Rate()
    hidden = True if len(inputs) == 1 else None  # None: shown on a terminal only
    with (
        _listed(options.json_file, records),
        tqdm(desc="predict", total=len(inputs), unit="image", disable=hidden) as bar,
    ):
        for start in range(0, len(inputs), predictor.batch):
            batch = inputs[start : start + predictor.batch]
            read = [pair for pair in map(_read, batch) if pair is not None]
            predicted = _predict(predictor, read)
            failed += len(batch) - len(predicted)
            for (item, image), prediction in predicted:
                shown = prediction.above(options.threshold)
                _draw(item, image, shown, options)
                records.append(_record(item, image, shown))  # only once its drawings are whole
            rate.add(len(predicted))
            bar.update(len(batch))
    if failed:
        _log.warning("skipped %d of %s", failed, counted(len(inputs), "picture"))
    found = sum(len(record["detections"]) for record in records)
    return Summary(len(records), found, failed, rate.per_second)


@contextmanager
def _listed(path: Path, records: list[dict[str, Any]]) -> Iterator[None]:
    """Write the list at the end, and whatever ends it early; a defect is raised unchanged."""
    try:
        yield
        write_json(path, records, indent=1)
    except BaseException as early:
        if not records:
            raise
        listed = _write_early(path, records)
        if not isinstance(early, KeyboardInterrupt | FocusDetrError):
            raise
        said = dict.fromkeys([*map(str, early.args), listed])
        raise type(early)("; ".join(said)) from early


def _write_early(path: Path, records: list[dict[str, Any]]) -> str:
    """Write the list as far as it goes; a sentence about it, or about why it cannot be written."""
    try:
        write_json(path, records, indent=1)
    except FocusDetrError as error:
        return str(error)
    return f"{path} lists {counted(len(records), 'picture')}"


def _read(item: ImageInput) -> Picture | None:
    """A picture, or None if it is broken and was found in a folder."""
    try:
        return item, read_image(item.path)
    except FocusDetrError as error:
        _skip(item, error)
        return None


def _skip(item: ImageInput, error: FocusDetrError) -> None:
    if item.named:
        raise error
    _log.warning("skipped: %s", error)


def _predict(
    predictor: PicturePredictor, pictures: Sequence[Picture]
) -> list[tuple[Picture, Prediction]]:
    """Predict together; if that fails, one by one, to find the picture that is at fault."""
    try:
        found = predictor.predict_batch([image for _, image in pictures])
        return list(zip(pictures, found, strict=True))
    except FocusDetrError as error:
        if len(pictures) == 1:
            item = pictures[0][0]
            _skip(item, FocusDetrError(f"{item.path}: {error}"))
            return []
        return [pair for picture in pictures for pair in _predict(predictor, [picture])]


def _draw(
    item: ImageInput, image: np.ndarray, prediction: Prediction, options: OutputOptions
) -> None:
    path = options.folder / item.result
    write_image(path, draw_detections(image, prediction.detections, prediction.names))
    if options.tokens:
        if prediction.tokens is None:
            raise FocusDetrError("this model was exported without --tokens")
        overlay = draw_token_overlay(image, prediction.tokens, item.path.name)
        write_image(token_picture(path), overlay)


def _record(item: ImageInput, image: np.ndarray, prediction: Prediction) -> dict[str, Any]:
    """One picture's entry of the JSON file; boxes are x1, y1, x2, y2 in pixels."""
    height, width = image.shape[:2]
    return {
        "image": str(item.path),
        "width": width,
        "height": height,
        "detections": detection_records(prediction),
    }
