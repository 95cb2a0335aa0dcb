"""Drawn boxes are where the detections are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focus_detr.inference.drawing import draw_detections, drawing_scale
from focus_detr.inference.palette import class_colour
from focus_detr.inference.postprocess import Detections

GREY = 127


def make_detections(boxes: list[list[float]], labels: list[int]) -> Detections:
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    return Detections(np.float32(boxes).reshape(-1, 4), scores, np.array(labels, int))


def test_box_has_the_colour_of_its_class_on_its_edges_only() -> None:
    image = np.full((700, 700, 3), GREY, np.uint8)
    drawn = draw_detections(image, make_detections([[100, 200, 400, 500]], [2]), ["cell"])
    colour = class_colour(2)
    for x, y in ((100, 350), (399, 350), (300, 200), (250, 499)):
        assert tuple(drawn[y, x]) == colour
    assert (drawn[520:, :] == GREY).all()
    assert (drawn[:, 450:] == GREY).all()
    assert np.abs(drawn[350, 250].astype(int) - GREY).max() < 20
    assert (image == GREY).all()


def test_label_stands_on_the_box() -> None:
    image = np.full((700, 700, 3), GREY, np.uint8)
    drawn = draw_detections(image, make_detections([[100, 200, 400, 500]], [0]), ["cell"])
    above = drawn[180:196, 101:140]
    assert (above == class_colour(0)).all(axis=2).mean() > 0.3
    assert len(np.unique(above.reshape(-1, 3), axis=0)) > 5  # smooth letters


def test_labels_of_equal_boxes_do_not_cover_each_other() -> None:
    image = np.full((700, 700, 3), GREY, np.uint8)
    box = [100.0, 200, 400, 500]
    drawn = draw_detections(image, make_detections([box, box], [0, 1]), ["one", "two"])
    plates = [(drawn == class_colour(label)).all(axis=2) for label in (0, 1)]
    assert min(plate[:, 110:135].sum() for plate in plates) > 150


def test_small_pictures_are_enlarged() -> None:
    image = np.full((30, 40, 3), GREY, np.uint8)
    drawn = draw_detections(image, make_detections([[10, 10, 20, 20]], [0]), ["x"])
    assert drawing_scale(30, 40) == 15
    assert drawn.shape == (450, 600, 3)
    assert tuple(drawn[225, 150]) == class_colour(0)


@settings(max_examples=25)
@given(
    height=st.integers(30, 700),
    width=st.integers(30, 700),
    corners=st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=6),
    name=st.text(max_size=30),
)
def test_any_box_can_be_drawn(height: int, width: int, corners: list, name: str) -> None:
    boxes = [
        [min(a, c) * width, min(b, d) * height, max(a, c) * width, max(b, d) * height]
        for a, b, c, d in corners
    ]
    image = np.zeros((height, width, 3), np.uint8)
    found = make_detections(boxes, list(range(len(boxes))))
    drawn = draw_detections(image, found, [name] * len(boxes))
    scale = drawing_scale(height, width)
    assert drawn.shape == (scale * height, scale * width, 3)
    assert drawn.any() == bool(boxes)


@pytest.mark.parametrize("count", [3, 20, 80])
def test_class_colours_differ(count: int) -> None:
    assert len({class_colour(label) for label in range(count)}) == count
