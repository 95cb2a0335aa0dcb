"""Recall, precision and Corr of what is kept, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from paper_cases import seen_tokens

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.models.geometry import level_shapes
from focus_detr.paper.quality import QualityMeter, quality_table

SHAPES = ((2, 3), (1, 2))
BOXES = np.float32([[0, 0, 16, 8], [16, 0, 24, 16]])  # tokens 0, 1; tokens 2, 5


def test_shares_by_hand() -> None:
    tokens = KeptTokens(np.array([0, 2, 3, 6, 1]), np.array([4, 1]), SHAPES, (16, 24))
    attention = np.array([4.0, 0, 2, 0, 4, 0, 0, 0])
    meter = QualityMeter("a", 2)
    scores = np.zeros(8)
    meter.add(seen_tokens(tokens, scores=scores, boxes=BOXES, attention=attention))
    quality = meter.result()
    first, last = quality.layers
    assert quality.selects and quality.pictures == 1
    assert quality.boxes == {"all": 2, "small": 2, "medium": 0, "large": 0}
    assert quality.covered == pytest.approx(4 / 8)
    assert (first.kept, first.precision) == (pytest.approx(4 / 8), pytest.approx(2 / 4))
    assert first.recall["all"] == first.recall["small"] == pytest.approx(2 / 4)
    assert first.recall["large"] is None
    assert first.reached["all"] == 1.0
    assert (last.precision, last.recall["all"], last.reached["all"]) == (1.0, 0.25, 0.5)
    assert quality.corr["kept"] == pytest.approx(6 / 10)


def test_sizes_are_those_of_the_file() -> None:
    """A box of 20 x 40 pixels in the network is 60 x 120 in a file three times as large."""
    size = (64, 64)
    count = sum(rows * columns for rows, columns in level_shapes(*size))
    tokens = KeptTokens(np.arange(count), np.array([count]), level_shapes(*size), size)
    boxes = 3 * np.float32([[4, 4, 24, 44]])
    meter = QualityMeter("a", 1)
    meter.add(seen_tokens(tokens, boxes=boxes, enlarged=3))
    assert meter.result().boxes == {"all": 1, "small": 0, "medium": 1, "large": 0}


def test_all_tokens_recall_everything_at_the_precision_of_a_blind_choice() -> None:
    size = (440, 416)  # with a ring that does not count
    count = sum(rows * columns for rows, columns in level_shapes(*size))
    tokens = KeptTokens(np.arange(count), np.array([count] * 3), level_shapes(*size), size)
    meter = QualityMeter("dense", 3)
    for left in (0, 100):
        boxes = np.float32([[left, 0, left + 200, 60], [300, 300, 330, 330]])
        meter.add(seen_tokens(tokens, boxes=boxes, attention=np.ones(count)))
    quality = meter.result()
    assert not quality.selects
    for layer in quality.layers:
        assert layer.recall["all"] == layer.kept == 1.0
        assert layer.precision == pytest.approx(quality.covered)
    assert quality.corr["kept"] == pytest.approx(1.0)
    row = quality_table([quality]).splitlines()[2]
    assert row.startswith("| dense | 100 % to 100 % | 100 % to 100 % |")
    assert row.count("|") == quality_table([quality]).splitlines()[0].count("|")


def test_pictures_without_boxes_count_for_precision_only() -> None:
    tokens = KeptTokens(np.arange(4), np.array([4]), SHAPES, (16, 24))
    meter = QualityMeter("a", 1)
    meter.add(seen_tokens(tokens))
    quality = meter.result()
    assert quality.layers[0].precision == 0.0
    assert quality.layers[0].recall["all"] is None
    assert quality.corr == {"kept": None, "top_kept": None, "top_attended": None}
