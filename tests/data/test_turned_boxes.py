"""Boxes around outlines and turned rectangles."""

from __future__ import annotations

import math

import pytest

from focus_detr.data.turned_boxes import box_around, box_around_turned


def test_a_quarter_turn_exchanges_the_sides() -> None:
    for angle in (math.pi / 2, -math.pi / 2, 3 * math.pi / 2):
        assert box_around_turned((40, 35, 20, 10), angle) == pytest.approx((45, 30, 10, 20))
    assert box_around_turned((40, 35, 20, 10), math.pi) == pytest.approx((40, 35, 20, 10))


def test_half_a_quarter_turn() -> None:
    side = 30 / math.sqrt(2)
    expected = (50 - side / 2, 40 - side / 2, side, side)
    for angle in (math.pi / 4, -math.pi / 4):
        assert box_around_turned((40, 35, 20, 10), angle) == pytest.approx(expected)


def test_points() -> None:
    assert box_around([(3, 9), (1, 7), (2, 8.5)]) == (1, 7, 2, 2)
