"""Near ties may change places; no other difference passes, and the first one is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.comparing.proof import Computed, Proof, Selection, prove

NAMES = ("foreground scores", "class scores of the queries")
NOISE, TOLERANCE = 1e-6, 1e-4
NOTHING = -3e38  # the score of a place that is never chosen before a real one


def chosen(scores: np.ndarray, count: int = 4) -> Selection:
    return Selection(scores, np.argsort(-scores, kind="stable")[:count])


def computed(**changes: Any) -> Computed:
    rng = np.random.default_rng(0)
    lists = [chosen(rng.normal(size=size).astype(np.float32)) for size in (9, 7)]
    boxes = rng.uniform(size=(4, 4)).astype(np.float32)
    scores = np.float32([0.9, 0.8, 0.4, 0.1])
    result = Computed(lists, scores, np.int32([1, 0, 1, 1]), boxes, (np.arange(4), np.int32([4])))
    return replace(result, **changes)


def with_list(index: int, selection: Selection) -> Computed:
    lists = list(computed().selections)
    lists[index] = selection
    return computed(selections=lists)


def test_equal_networks_have_no_difference() -> None:
    proof = prove(NAMES, computed(), computed(), TOLERANCE)
    assert (proof.difference, proof.fault, proof.places, proof.swapped) == (0.0, "", 8, 0)
    assert str(proof).endswith("all lists chosen alike")


@given(st.permutations(range(4)), st.integers(0, 1))
def test_near_ties_change_places_and_are_told(order: list[int], index: int) -> None:
    tied = np.float32([5, 5, 5, 5, 1, 0])
    ours = tied + NOISE * 5 * np.float32([*order, 0, 0])
    theirs = tied + NOISE * 5 * np.float32([3, 2, 1, 0, 0, 0])
    found = with_list(index, chosen(theirs))
    expected = with_list(index, Selection(ours, found.selections[index].places))
    proof = prove(NAMES, expected, found, TOLERANCE)
    assert proof.fault == "" and proof.swapped == sum(a != 3 - b for b, a in enumerate(order))
    # who jumped a gap can have erred by half of it for each of the two
    assert proof.margin <= 2 * proof.difference
    if proof.swapped:
        assert f"{proof.swapped} of 8 places in lists went to another of nearly equal" in str(proof)


@pytest.mark.parametrize(
    "places",
    [(0, 1, 3, 2), (0, 1, 2, 4), (1, 0, 2, 3), (0, 1, 2, 2), (0, 1, 2, 9), (-1, 1, 2, 3)],
    ids=["order", "end", "first", "twice", "beyond", "before"],
)
def test_a_list_that_is_not_of_the_highest_is_a_fault(places: tuple[int, ...]) -> None:
    scores = np.float32([5, 4.9, 4.8, 4.7, 1, 0])
    found = with_list(0, Selection(scores, np.array(places)))
    expected = with_list(0, chosen(scores))
    fault = prove(NAMES, expected, found, TOLERANCE).fault
    assert fault == "the list by its foreground scores is not of the highest ones"


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("error", ["one", "sign", "not finite", "order"])
def test_other_scores_are_a_fault_even_where_the_list_is_the_same(index: int, error: str) -> None:
    ours = computed().selections[index]
    wrong = ours.scores.copy()
    wrong[ours.places[-1]] += 2e-4 * np.ptp(wrong) if error == "one" else 0
    wrong *= -1 if error == "sign" else 1
    wrong[0] = np.nan if error == "not finite" else wrong[0]
    wrong = wrong[::-1] if error == "order" else wrong
    found = with_list(index, Selection(wrong, ours.places))
    proof = prove(NAMES, computed(), found, TOLERANCE)
    assert proof.fault.startswith(f"the first numbers that differ are the {NAMES[index]}")
    assert proof.difference > TOLERANCE


def test_the_first_of_several_faults_is_named() -> None:
    wrong = [chosen(-item.scores) for item in computed().selections]
    found = computed(selections=wrong, boxes=computed().boxes + 1)
    assert NAMES[0] in prove(NAMES, computed(), found, TOLERANCE).fault
    found = computed(selections=[computed().selections[0], wrong[1]])
    assert NAMES[1] in prove(NAMES, computed(), found, TOLERANCE).fault


def test_places_without_a_score_must_be_the_same() -> None:
    scores = np.float32([3, 2, NOTHING, 1, NOTHING])
    same = with_list(0, chosen(scores))
    assert prove(NAMES, same, same, TOLERANCE).difference == 0
    other = with_list(0, chosen(np.float32([3, 2, 0.5, 1, NOTHING])))
    assert "foreground scores, by up to inf" in prove(NAMES, same, other, TOLERANCE).fault


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scores": np.float32([0.9, 0.8, 0.4, 0.1002])}, "scores of the detections, by up to 0.0"),
        ({"boxes": computed().boxes + np.float32(2e-4)}, "boxes of the detections, by up to 0.0"),
        ({"boxes": computed().boxes[:, [1, 0, 3, 2]]}, "boxes of the detections"),
        ({"labels": np.int32([1, 0, 1, 0])}, "the labels of the same choices are others"),
        ({"tokens": (np.int32([1, 0, 2, 3]), np.int32([4]))}, "the kept tokens of the same"),
        ({"tokens": (np.arange(4), np.int32([3]))}, "the numbers of them of the same"),
        ({"labels": np.int32([1, 0, 1])}, "its lists are of other lengths"),
    ],
)
def test_detections_of_the_same_choices_must_be_the_same(
    changes: dict[str, Any], told: str
) -> None:
    assert told in prove(NAMES, computed(), computed(**changes), TOLERANCE).fault


def test_what_is_not_told_is_not_compared() -> None:
    assert prove(NAMES, computed(), computed(tokens=()), TOLERANCE).fault == ""


def test_pictures_add_up() -> None:
    total = Proof(0.1, "a", "", 5, 2, 0.01) + Proof(0.2, "b", "no", 3, 0, 0.0)
    assert total == Proof(0.2, "b", "no", 8, 2, 0.01)
