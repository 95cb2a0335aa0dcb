"""Denoising queries of DN-DETR: groups of one query for each box."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Parameter, Tensor

from focus_detr.models.denoising.dn import DnQueries, noised_boxes
from focus_detr.models.denoising.slots import attention_mask, slot_count


def _queries(groups: int, width: int = 3) -> DnQueries:
    table = np.arange(6 * width, dtype=np.float32).reshape(6, width) + 1
    return DnQueries(Parameter(Tensor(table)), groups=groups, marked=True)


def _valid(counts: tuple[int, int], padded: int = 4) -> Tensor:
    return Tensor((np.arange(padded) < np.array(counts)[:, None]).astype(np.float32))


@pytest.mark.parametrize("counts", [(3, 1), (4, 4), (0, 0)])
def test_every_group_has_a_slot_for_each_box_of_the_largest_image(counts: tuple[int, int]) -> None:
    layout = {key: value.asnumpy() for key, value in _queries(5).layout(_valid(counts)).items()}
    live, slots = 5 * max(counts), slot_count("dn", 5, 4)
    assert len(layout["group"]) == slots == 20 and layout["groups"] == 5
    place = np.arange(live)
    np.testing.assert_array_equal(layout["group"][:live], place // max(*counts, 1))
    np.testing.assert_array_equal(layout["target"][:live], place % max(*counts, 1))
    assert layout["positive"][:live].all() and not layout["positive"][live:].any()
    blocked = attention_mask(Tensor(layout["group"]), 3).asnumpy()
    assert not blocked[:live, slots:].any() and blocked[slots:, :slots].all()


def test_noised_boxes_by_hand() -> None:
    boxes = Tensor(np.array([[0.5, 0.5, 0.4, 0.2]] * 2, np.float32))
    shift = Tensor(np.array([[0.5, -1, 0.25, -0.5], [3, 0, -2, 9]], np.float32))
    # the second: the centre at 1.1 and the sizes -0.4 and 2 are kept within 0 and 1
    expected = [[0.6, 0.4, 0.5, 0.1], [1.0, 0.5, 0.0, 1.0]]
    np.testing.assert_allclose(noised_boxes(boxes, shift).asnumpy(), expected, atol=1e-6)


def test_filled_slots_are_marked_and_empty_ones_hold_nothing() -> None:
    boxes = Tensor(np.full((2, 4, 4), 0.5, np.float32))
    labels = Tensor(np.array([[1, 2, 3, 0], [4, 0, 0, 0]], np.int32))
    targets = {"boxes": boxes, "labels": labels, "valid": _valid((3, 1)), "image_sizes": labels}
    draws = {
        "uniform": Tensor(np.full((2, 8), 0.9, np.float32)),
        "new_label": Tensor(np.zeros((2, 8), np.int32)),
        "sign": Tensor(np.ones((2, 8, 4), np.float32)),
        "part": Tensor(np.zeros((2, 8, 4), np.float32)),
    }
    found, _ = _queries(2)(targets, draws, 5)
    content = found["content"].asnumpy()
    filled = [[1, 1, 1, 1, 1, 1, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0]]
    np.testing.assert_array_equal(content[..., -1], filled)
    np.testing.assert_array_equal(content[0, :3, 0], [4, 7, 10])
    assert not content[np.array(filled) == 0].any()
    np.testing.assert_allclose(found["references"].asnumpy(), 0.5, atol=1e-6)
