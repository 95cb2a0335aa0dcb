"""What a detector saw, put together by hand or from golden numbers, for tests of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.looks import Looks
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.models.geometry import level_shapes
from focus_detr.paper.detectors import Seen
from focus_detr.paper.photographs import Photograph

NO_BOXES = np.zeros((0, 4), np.float32)


def seen_tokens(
    tokens: KeptTokens,
    *,
    scores: np.ndarray | None = None,
    objects: Sequence[np.ndarray] = (),
    boxes: np.ndarray = NO_BOXES,
    attention: np.ndarray | None = None,
    enlarged: int = 1,
) -> Seen:
    """A picture that was looked at.

    Args:
        tokens: that the encoder kept.
        scores: of all tokens.
        objects: token numbers of each layer.
        boxes: [T, 4] in pixels of the picture.
        attention: of the decoder.
        enlarged: how many times the picture is larger than what the network saw.
    """
    height, width = (side * enlarged for side in tokens.image_size)
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = Detections(
        np.float32([[1, 2, width / 2, height / 2], [0, 0, 9, 9]]),
        np.float32([0.9, 0.2]),
        np.array([1, 0]),
    )
    looks = Looks(scores, tuple(objects), attention)
    prediction = Prediction(found, ("dog", "cat"), tokens, looks)
    return Seen(Photograph("picture.png", pixels, boxes), prediction, tokens, looks)


def golden_seen(golden: Mapping[str, Any], boxes: np.ndarray = NO_BOXES) -> Seen:
    """The first image of a golden case, as the reference's numbers have it."""
    size = tuple(golden["meta"]["sizes"][0])
    layers = range(6)
    counts = np.array([golden[f"foreground_inds{layer}"].shape[1] for layer in layers])
    tokens = KeptTokens(golden["foreground_inds0"][0], counts, level_shapes(*size), size)
    objects = [golden[f"enc{layer}_topk_sa_global"][0] for layer in layers]
    scores = golden["foreground_score_masked"][0].reshape(-1)
    return seen_tokens(tokens, scores=scores, objects=objects, boxes=boxes)
