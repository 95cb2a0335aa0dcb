"""Corr over batches and workers, and what the report says about it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from told_world import ToldWorld

from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.distributed.world import SINGLE
from focus_detr.evaluation.coco_metrics import CocoResult
from focus_detr.evaluation.correlation_meter import CorrelationMeter
from focus_detr.evaluation.report import format_table, result_to_dict

NOTHING = np.zeros((2, 1), np.float32)


def _batch(image_ids: tuple) -> Batch:
    blank = np.zeros((len(image_ids), 1))
    return Batch(blank, blank, blank, blank, blank, image_ids, blank)


def _outputs(attention: list[list[float]], kept: int) -> tuple[np.ndarray, ...]:
    """Of a detector that ranks tokens by their number and refines ``kept`` of them first."""
    shown = np.array(attention, np.float32)
    ranked = np.tile(np.arange(shown.shape[1], dtype=np.int32), (len(shown), 1))
    refined = np.array([[kept, 1]] * len(shown), np.int32)
    return NOTHING, NOTHING, NOTHING, ranked, refined, shown, np.ones_like(shown)


def test_mean_and_deviation_over_images_without_fillers() -> None:
    meter = CorrelationMeter()
    meter.watch(_batch((7, 8)), _outputs([[1, 1, 1, 1], [3, 0, 1, 0]], kept=2))
    meter.watch(_batch((9, BLANK_ID)), _outputs([[0, 0, 0, 5], [9, 9, 9, 9]], kept=2))
    found = meter.summary(SINGLE)["kept"]
    assert found.mean == pytest.approx((0.5 + 0.75 + 0.0) / 3)
    assert found.std == pytest.approx(np.std([0.5, 0.75, 0.0]))


def test_an_image_without_attention_is_left_out() -> None:
    meter = CorrelationMeter()
    meter.watch(_batch((7, 8)), _outputs([[0, 0], [1, 1]], kept=1))
    assert meter.summary(SINGLE)["kept"].mean == pytest.approx(0.5)
    assert math.isnan(CorrelationMeter().summary(SINGLE)["kept"].mean)


def test_images_of_all_workers_count() -> None:
    meter = CorrelationMeter()
    meter.watch(_batch((7, 8)), _outputs([[1, 1], [1, 3]], kept=1))
    other = json.dumps([[1.0, 1.0, 1.0]]).encode()
    found = meter.summary(ToldWorld(said=other))
    assert found["kept"].mean == pytest.approx((0.5 + 0.25 + 1.0) / 3)


def test_report_tells_the_three_readings() -> None:
    meter = CorrelationMeter()
    meter.watch(_batch((7, 8)), _outputs([[1, 1, 2, 0], [1, 3, 0, 0]], kept=2))
    result = CocoResult({"AP": 0.5, "AR1": 0.5}, {}, correlation=meter.summary(SINGLE))
    line = next(row for row in format_table(result).splitlines() if "on the kept tokens" in row)
    assert line.split()[:3] == ["0.7500", "+-", "0.2500"]
    assert result_to_dict(result)["correlation"]["kept"] == {"mean": 0.75, "std": 0.25}
    assert "correlation" not in result_to_dict(CocoResult({}, {}))
