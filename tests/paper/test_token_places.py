"""Where tokens lie, against golden proposals and labels."""

from __future__ import annotations

import numpy as np
from golden_data import load
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.models.geometry import level_shapes
from focus_detr.paper.token_places import TokenPlaces, size_class


def test_border_and_padding_are_what_the_reference_replaces() -> None:
    golden = load("infer_r50_alpha_q100")
    size = tuple(golden["meta"]["sizes"][0])
    places = TokenPlaces.of_shapes(level_shapes(*size), size)
    unusable = np.isinf(golden["gen_proposals"][0]).any(axis=-1)  # [N]
    np.testing.assert_array_equal(places.border, unusable)
    assert places.border.any() and places.inside.all()


@given(height=st.integers(30, 700), width=st.integers(30, 700), rows=st.integers(0, 90))
def test_places_are_cell_by_cell(height: int, width: int, rows: int) -> None:
    shapes = level_shapes(height + rows, width)
    places = TokenPlaces.of_shapes(shapes, (height, width))
    number = 0
    for level, (grid_rows, grid_columns) in enumerate(shapes):
        stride = 8 * 2**level
        for row in (0, grid_rows - 1):
            token = number + row * grid_columns + grid_columns - 1
            x, y = (grid_columns - 1) * stride + stride // 2, row * stride + stride // 2
            assert places.centres[token].tolist() == [x, y]
            assert places.inside[token] == (row * stride < height)
            assert places.levels[token] == level
        number += grid_rows * grid_columns
    assert len(places.levels) == number and places.count == 4


def test_boxes_cover_what_lies_strictly_inside() -> None:
    places = TokenPlaces.of_shapes(((2, 3), (1, 2)), (16, 24))
    boxes = np.float32([[4, 0, 13, 16], [0, 0, 24, 16], [30, 30, 40, 40]])
    covered = places.covered(boxes)
    assert covered[0].tolist() == [False, True, False, False, True, False, True, False]
    assert covered[1].all(where=places.levels == 0)
    assert not covered[2].any()


def test_places_in_the_picture_follow_its_size() -> None:
    places = TokenPlaces.of_shapes(((2, 3), (1, 2)), (16, 24))
    np.testing.assert_allclose(places.in_picture(32, 72)[1], [12 * 3, 4 * 2])


def test_sizes_are_coco_s() -> None:
    assert size_class(np.array([0, 1023, 1024, 9215, 9216])).tolist() == [0, 0, 1, 1, 2]
