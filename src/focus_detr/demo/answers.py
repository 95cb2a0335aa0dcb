"""What was found in a picture, as the endpoint's JSON."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from focus_detr.demo.model_queue import DemoModel
from focus_detr.demo.pictures import decode_picture
from focus_detr.demo.refusals import RefusalError
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.looks import Looks
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.preparation import check_image
from focus_detr.inference.records import detection_records

_FLAGS = {"0": False, "false": False, "1": True, "true": True}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a client asks for in the address."""

    threshold: float  # smallest score
    tokens: bool  # also the kept tokens

    @classmethod
    def parse(cls, query: Mapping[str, str], model: DemoModel) -> Wanted:
        """Read the part of the address after the question mark.

        Raises:
            RefusalError: an unknown name, a value that makes no sense, or tokens of a model that
                does not tell them.
        """
        unknown = sorted(query.keys() - {"threshold", "tokens"})
        if unknown:
            raise RefusalError(400, f"unknown option {unknown[0]}; there are threshold and tokens")
        tokens = _flag(query.get("tokens", "0"))
        if tokens and not model.tokens:
            raise RefusalError(400, "this model was exported without --tokens")
        return cls(_score(query.get("threshold", str(model.threshold))), tokens)


def detect(data: bytes, wanted: Wanted, model: DemoModel) -> dict[str, Any]:
    """Decode a picture file and say what is in it.

    Returns:
        width, height, milliseconds (of the detector) and detections; if wanted, tokens and the
        picture's cost, where they are known.

    Raises:
        RefusalError: the picture is broken or too small, or the detector cannot be used.
    """
    image = _decode(data)
    started = time.perf_counter()
    prediction = _predict(image, model)
    milliseconds = round(1000 * (time.perf_counter() - started), 1)
    height, width = image.shape[:2]
    answer = {
        "width": width,
        "height": height,
        "milliseconds": milliseconds,
        "detections": detection_records(prediction.above(wanted.threshold)),
    }
    if wanted.tokens and prediction.tokens is not None:
        answer["tokens"] = token_record(prediction.tokens, prediction.looks)
        if model.costs is not None:
            answer["cost"] = model.costs.of(prediction.tokens.image_size)
    return answer


def token_record(tokens: KeptTokens, looks: Looks | None = None) -> dict[str, Any]:
    """Which cells each encoder layer refined, level by level, and which are object tokens.

    ``cells`` and, where it is known, ``objects`` of a level hold one bit per cell, row by row, the
    first in the highest bit, as base64.
    """
    height, width = tokens.image_size
    layers = [_layer_record(tokens, layer) for layer in range(tokens.layers)]
    for record, objects in zip(layers, looks.objects if looks else (), strict=False):
        _add_objects(record, tokens, objects)
    return {"network_width": width, "network_height": height, "layers": layers}


def _layer_record(tokens: KeptTokens, layer: int) -> dict[str, Any]:
    grids = [tokens.kept_cells(layer, level) for level in range(tokens.levels)]
    levels = [_level_record(tokens.stride(level), grid) for level, grid in enumerate(grids)]
    total = sum(grid.size for grid in grids)
    return {"kept": sum(level["kept"] for level in levels), "cells": total, "levels": levels}


def _add_objects(record: dict[str, Any], tokens: KeptTokens, objects: np.ndarray) -> None:
    grids = [tokens.cells_of(objects, level) for level in range(tokens.levels)]
    record["objects"] = int(sum(grid.sum() for grid in grids))
    for level, grid in zip(record["levels"], grids, strict=True):
        level["objects"] = _bits(grid)


def _level_record(stride: int, grid: np.ndarray) -> dict[str, Any]:
    """One level of one layer; ``grid`` is [rows, columns] bool."""
    rows, columns = grid.shape
    return {
        "stride": stride,
        "rows": rows,
        "columns": columns,
        "kept": int(grid.sum()),
        "cells": _bits(grid),
    }


def _bits(grid: np.ndarray) -> str:
    return base64.b64encode(np.packbits(grid).tobytes()).decode()


def _decode(data: bytes) -> np.ndarray:
    """[H, W, 3] uint8 RGB that the detector can look at; all else is the client's fault."""
    image = decode_picture(data)
    try:
        check_image(image)
    except FocusDetrError as error:
        raise RefusalError(422, str(error)) from error
    return image


def _predict(image: np.ndarray, model: DemoModel) -> Prediction:
    """What goes wrong with a good picture, such as weights that diverged, is our fault."""
    try:
        return model.predictor.predict(image)
    except FocusDetrError as error:
        _log.error("a picture was not answered: %s", error)
        raise RefusalError(500, str(error)) from error


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise RefusalError(400, f"threshold {text!r} is no number from 0 to 1")
    return score


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise RefusalError(400, f"tokens {text!r} is neither true nor false")
    return _FLAGS[text.lower()]
