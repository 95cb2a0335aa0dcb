"""Labels by the released and by the paper's rule."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import load

from focus_detr.paper.labels import RULES, count_labels, label, label_boxes
from focus_detr.paper.photographs import Photograph

RELEASED, OVERLAPPING, PAPER = RULES


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize(
    ("rule", "key"), [(RELEASED, "released"), (OVERLAPPING, "paper_overlap")], ids=str
)
def test_labels_are_golden(case: int, rule: object, key: str) -> None:
    golden = load("fts_targets")
    size = tuple(golden["meta"]["cases"][case]["padded_hw"])
    for boxes, expected in zip(
        golden[f"c{case}/boxes"], golden[f"c{case}/targets_{key}"][..., 0], strict=True
    ):
        real = boxes[boxes[:, 2] >= 0]
        labelled = label_boxes(real, rule, size)
        np.testing.assert_array_equal(labelled.foreground, expected > 0.5)
        counts = count_labels(rule, labelled)
        assert sum(level.foreground for level in counts.levels) == int(expected.sum())


def test_foreground_lies_in_boxes_and_boxes_without_any_are_counted() -> None:
    boxes = np.float32([[10, 10, 70, 60], [100, 100, 103, 103]])  # the second is between tokens
    for rule in RULES:
        labelled = label_boxes(boxes, rule, (160, 160))
        assert labelled.foreground.any()
        assert not (labelled.foreground & ~labelled.covered.any(axis=0)).any()
        counts = count_labels(rule, labelled) + count_labels(rule, labelled)
        assert (counts.boxes, counts.without) == (4, 2)
        assert all(level.foreground <= level.inside <= level.cells for level in counts.levels)
        assert sum(level.foreground for level in counts.levels) == 2 * labelled.foreground.sum()
        assert sum(level.cells for level in counts.levels) == 2 * len(labelled.foreground)


def test_the_paper_s_distance_is_to_the_centre() -> None:
    """A token in the middle of a box of 120 pixels is 60 from its sides and 0 from its centre."""
    box = np.float32([[12, 12, 132, 132]])
    sides, centre = (label_boxes(box, rule, (160, 160)) for rule in (OVERLAPPING, PAPER))
    finest = sides.places.levels == 0
    assert centre.foreground[finest].sum() > sides.foreground[finest].sum() > 0
    assert centre.foreground[finest].sum() == sides.covered[0, finest].sum()


def test_pictures_are_resized_with_their_boxes() -> None:
    pixels = np.zeros((80, 120, 3), np.uint8)
    boxes = np.float32([[10, 10, 60, 60]])
    small = label(Photograph("a", pixels, boxes), RELEASED, 160, 400)
    expected = label_boxes(boxes * 2, RELEASED, (160, 240))
    np.testing.assert_array_equal(small.foreground, expected.foreground)
