"""Final detections of the golden cases, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from golden_data import check


def check_detections(golden: Mapping[str, Any], outputs: Sequence[np.ndarray]) -> None:
    """Assert scores [B, R], labels [B, R] and boxes [B, R, 4] (0..1) of a detector."""
    scores, labels, boxes = outputs[:3]
    for index, (height, width) in enumerate(golden["meta"]["sizes"]):
        error, _ = check(golden, f"pre_scores{index}", scores[index])
        scaled = boxes[index] * np.array([width, height, width, height], np.float32)
        _check_ranked(golden, index, 2 * error, labels[index], scaled)


def _check_ranked(
    golden: Mapping[str, Any], index: int, tie: float, labels: np.ndarray, boxes: np.ndarray
) -> None:
    """Labels and boxes agree wherever the score is no tie within rounding of its neighbours."""
    steps = np.abs(np.diff(golden[f"pre_scores{index}"]))
    clear = (np.r_[np.inf, steps] > tie) & (np.r_[steps, np.inf] > tie)
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(labels[clear], golden[f"pre_labels{index}"][clear])
    rows = {"boxes": golden[f"pre_boxes{index}"][clear]}
    check(rows | {"boxes/noise": golden[f"pre_boxes{index}/noise"]}, "boxes", boxes[clear])
