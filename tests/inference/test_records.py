"""Detections as JSON."""

from __future__ import annotations

import json

import numpy as np

from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.records import detection_records


def test_numbers_are_rounded_and_plain() -> None:
    boxes = np.float32([[0, 1.23456, 20.5, 30], [1, 2, 3, 4]])
    found = Detections(boxes, np.float32([0.1234567, 0.1]), np.array([1, 0], np.int32))
    records = detection_records(Prediction(found, ("dog", "cat"), None))
    assert records == [
        {"label": 1, "name": "dog", "score": 0.12346, "box": [0.0, 1.23, 20.5, 30.0]},
        {"label": 0, "name": "cat", "score": 0.1, "box": [1.0, 2.0, 3.0, 4.0]},
    ]
    assert json.loads(json.dumps(records)) == records


def test_nothing_found_is_an_empty_list() -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0), np.zeros(0, np.int32))
    assert detection_records(Prediction(nothing, (), None)) == []
