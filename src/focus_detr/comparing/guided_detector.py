"""A detector that follows the choices of another one, or its own, and tells what it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mindspore as ms
import numpy as np

from focus_detr.comparing.given_selections import GivenSelections
from focus_detr.comparing.proof import Computed, Selection
from focus_detr.data.buckets import Size
from focus_detr.inference.loading import LoadedDetector
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.predictor import Predictor


class GuidedDetector:
    """A checkpoint's detector for pictures that are padded to one size; it is compiled once."""

    def __init__(self, loaded: LoadedDetector, size: Size) -> None:
        """Take over a detector, which changes it.

        Args:
            loaded: the detector.
            size: (H, W) that pictures are padded to.
        """
        self._cell = loaded.cell
        self._given = GivenSelections(loaded.cell, *size)
        self._outputs: list[np.ndarray] = []
        data = replace(loaded.data, shape_buckets=(size,))
        self._predictor = Predictor(self._detect, loaded.classes.names, loaded.model, data)

    @property
    def names(self) -> list[str]:
        """Of the selections."""
        return self._given.names

    def predict(self, picture: np.ndarray) -> Prediction:
        """What the detector by itself finds in a picture [H, W, 3] uint8 RGB."""
        self._given.give(None)
        return self._predictor.predict(picture)

    def compute(self, picture: np.ndarray, choices: Sequence[Selection] | None = None) -> Computed:
        """What it computes with these choices, or with its own."""
        self._given.give(None if choices is None else [item.places for item in choices])
        self._predictor.predict(picture)
        scores, labels, boxes, *tokens = self._outputs
        height, width = picture.shape[:2]
        units = of_longer_side(boxes, (height, width))
        return Computed(self._given.seen(), scores, labels, units, tokens)

    def fits(self, choices: Sequence[Selection]) -> bool:
        """Whether there are as many lists of the same lengths."""
        return self._given.shapes == [(len(item.scores), len(item.places)) for item in choices]

    def _detect(self, images: ms.Tensor, sizes: ms.Tensor) -> Sequence[ms.Tensor]:
        outputs = self._cell(images, sizes)
        self._outputs = [output.asnumpy()[0] for output in outputs]
        return outputs


def of_longer_side(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Boxes [R, 4] in 0..1 of a picture, clipped to it, in units of its longer side."""
    height, width = size
    extent = np.array([width, height, width, height], np.float32) / max(size)
    return np.clip(boxes * extent, 0, extent)
