"""Denoising queries: golden numbers, the layout of the slots, who sees whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from golden_data import check, load, packed_mask, weight_for
from golden_draws import golden_targets, slot_draws
from hypothesis import given, settings
from hypothesis import strategies as st
from mindspore import Parameter, Tensor

from focus_detr.models.denoising.contrastive import (
    ContrastiveQueries,
    noised_corners,
)
from focus_detr.models.denoising.slots import attention_mask, embed, slot_count
from focus_detr.models.targets import Draws, Targets

CASES = ("train_r50_b2", "train_r50_q100", "train_r50_empty1_q100")


def _valid(counts: tuple[int, ...], padded: int) -> Tensor:
    return Tensor((np.arange(padded) < np.array(counts)[:, None]).astype(np.float32))


def _cell(**settings: Any) -> ContrastiveQueries:
    return ContrastiveQueries(Parameter(Tensor(np.zeros((1, 1), np.float32))), **settings)


def _layout(valid: Tensor, number: int) -> tuple[np.ndarray, ...]:
    layout = _cell(number=number).layout(valid)
    return tuple(layout[key].asnumpy() for key in ("group", "target", "positive", "groups"))


def _fill(cell: ContrastiveQueries, targets: Sequence[Tensor], draws: Sequence[Tensor]) -> tuple:
    """Boxes, labels and validity of targets; the four draws."""
    boxes, labels, valid = targets
    uniform, new_label, sign, part = draws
    wanted = Targets(boxes=boxes, labels=labels, valid=valid, image_sizes=valid)
    noise = Draws(uniform=uniform, new_label=new_label, sign=sign, part=part)
    return cell.fill(wanted, noise)


def _queries(name: str, padded: int = 6) -> tuple[dict, tuple]:
    golden = load(name)
    targets = golden_targets(golden, padded)
    arrays = (targets.boxes, targets.labels, targets.box_valid)
    draws = [Tensor(draw) for draw in slot_draws(golden)]
    return golden, _fill(_cell(), [Tensor(array) for array in arrays], draws)


@pytest.mark.parametrize("name", CASES)
def test_boxes_equal_golden(name: str) -> None:
    golden, (_, boxes, _, layout) = _queries(name)
    check(golden, "dn_query_bbox", boxes.asnumpy())
    assert float(layout["groups"]) == golden["dn_num"]


@pytest.mark.parametrize("name", CASES)
def test_contents_equal_golden(name: str) -> None:
    golden, (labels, _, slot_valid, _) = _queries(name)
    table = Tensor(weight_for("label_enc.weight", (80, 256), golden["meta"]["seed"]))
    check(golden, "dn_query_label", embed(labels, slot_valid, table).asnumpy())


@pytest.mark.parametrize("name", CASES)
def test_attention_mask_equals_golden(name: str) -> None:
    golden, (_, _, _, layout) = _queries(name)
    expected = packed_mask(golden, "dn_attn_mask")
    ours = attention_mask(layout["group"], len(expected) - 200)
    np.testing.assert_array_equal(ours.asnumpy(), expected)


@settings(max_examples=40)
@given(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.sampled_from([1, 4, 12]))
def test_layout(counts: tuple[int, int], number: int) -> None:
    """Positives j, then negatives j of every target, as often as the number allows."""
    group, target, positive, groups = _layout(_valid(counts, 9), number)
    largest = max(counts)
    assert len(group) == slot_count("contrastive", number, 9) == 2 * max(number, 9)
    expected = max(1, 2 * number // (2 * largest)) if largest else number
    live = 2 * largest * expected
    assert groups == expected and live <= len(group)
    assert (group[:live] >= 0).all() and (group[live:] < 0).all()
    assert len(set(group[live:].tolist())) == len(group) - live
    slots = np.arange(live)
    np.testing.assert_array_equal(group[:live], slots // max(2 * largest, 1))
    np.testing.assert_array_equal(target[:live], slots % max(largest, 1))
    np.testing.assert_array_equal(positive[:live], slots % max(2 * largest, 1) < largest)
    assert not positive[live:].any()


@pytest.mark.parametrize("counts", [(3, 1), (5, 5), (0, 0)])
def test_dead_slots_see_only_themselves(counts: tuple[int, int]) -> None:
    group = _layout(_valid(counts, 9), 4)[0]
    blocked = attention_mask(Tensor(group), 5).asnumpy()
    dead = np.flatnonzero(group < 0)
    alone = ~np.eye(len(blocked), dtype=bool)
    np.testing.assert_array_equal(blocked[dead], alone[dead])
    np.testing.assert_array_equal(blocked[:, dead], alone[:, dead])
    assert not blocked[-5:, -5:].any() and blocked[-5:, :-5].all()
    live = np.flatnonzero(group >= 0)
    assert not blocked[live, -5:].any()


def test_without_boxes_all_slots_are_empty() -> None:
    boxes = Tensor(np.full((2, 3, 4), 0.5, np.float32))
    labels, valid = Tensor(np.zeros((2, 3), np.int32)), _valid((0, 0), 3)
    draws = [Tensor(np.full(shape, 0.5, np.float32)) for shape in [(2, 8), (2, 8, 4), (2, 8, 4)]]
    new_label = Tensor(np.ones((2, 8), np.int32))
    noise = (draws[0], new_label, *draws[1:])
    _, boxes, slot_valid, layout = _fill(_cell(number=4), (boxes, labels, valid), noise)
    assert not slot_valid.asnumpy().any() and not boxes.asnumpy().any()
    assert (layout["group"].asnumpy() < 0).all()


def test_label_noise_replaces_half_its_share() -> None:
    rng = np.random.default_rng(0)
    uniform = Tensor(rng.random((1, 1000), dtype=np.float32))
    arguments = (
        Tensor(np.full((1, 500, 4), 0.5, np.float32)),
        Tensor(np.full((1, 500), 3, np.int32)),
        _valid((500,), 500),
        uniform,
        Tensor(np.full((1, 1000), 7, np.int32)),
        Tensor(np.ones((1, 1000, 4), np.float32)),
        Tensor(np.zeros((1, 1000, 4), np.float32)),
    )
    cell = _cell(number=500, label_noise=0.6)
    labels = _fill(cell, arguments[:3], arguments[3:])[0].asnumpy()
    np.testing.assert_array_equal(labels == 7, uniform.asnumpy() < 0.3)
    assert set(labels.reshape(-1).tolist()) == {3, 7}


def test_noised_corners_by_hand() -> None:
    boxes = Tensor(np.array([[0.5, 0.5, 0.4, 0.2]] * 3, np.float32))
    shift = np.array([[0, 0, 0, 0], [1, -1, 1, 0.5], [-2, 2, 2, -2]], np.float32)
    expected = [[0.5, 0.5, 0.4, 0.2], [0.7, 0.475, 0.4, 0.35], [0.5, 0.5, 0.8, -0.2]]
    # the last: left 0.3 - 0.4 is cut at 0, right 0.7 + 0.4 at 1, top and bottom cross
    expected[2] = [0.5, 0.5, 1.0, -0.2]
    np.testing.assert_allclose(noised_corners(boxes, Tensor(shift)).asnumpy(), expected, atol=1e-6)


def test_embedding_learns_from_filled_slots_only() -> None:
    labels = Tensor(np.array([[1, 2, 1]], np.int32))
    slot_valid = Tensor(np.array([[1, 1, 0]], np.float32))

    def total(table: Tensor) -> Tensor:
        return embed(labels, slot_valid, table).sum()

    gradient = ms.grad(total)(Tensor(np.ones((4, 2), np.float32)))
    np.testing.assert_array_equal(gradient.asnumpy(), [[0, 0], [1, 1], [1, 1], [0, 0]])


def test_number_of_slots() -> None:
    assert slot_count("contrastive", 100, 100) == 200
    assert slot_count("contrastive", 100, 300) == 600
    assert slot_count("contrastive", 0, 100) == 0
