"""Detections as JSON has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from focus_detr.inference.prediction import Prediction


def detection_records(prediction: Prediction) -> list[dict[str, Any]]:
    """One entry for each detection: label, name, score, box as x1 y1 x2 y2 in pixels."""
    found = prediction.detections
    return [
        {"label": label, "name": name, "score": round(score, 5), "box": np.round(box, 2).tolist()}
        for label, name, score, box in zip(
            found.labels.tolist(),
            prediction.names,
            found.scores.tolist(),
            found.boxes.astype(np.float64),
            strict=True,
        )
    ]
