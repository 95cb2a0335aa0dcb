"""A list follows what it is given, and tells nothing that was not computed."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from model_cases import pynative

from focus_detr.comparing.given_selections import GivenTop
from focus_detr.comparing.proof import Computed, Selection, prove

SCORES = np.float32([[0.5, 3, -1, 2]])


class Probe(nn.Cell):
    """Uses the places alone, as the ranking of tokens does."""

    def __init__(self) -> None:
        super().__init__()
        self.top = GivenTop(among=4, count=2)

    def construct(self, scores: Tensor) -> Tensor:
        _, places = self.top(scores, 2)
        return places + 0


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_every_run_tells_its_scores_and_places(mode: int) -> None:
    with pynative():
        ms.set_context(mode=mode)
        probe = Probe()
        for scores, given, expected in (
            (SCORES, None, (1, 3)),
            (SCORES, (2, 0), (2, 0)),
            (-SCORES, None, (2, 0)),
        ):
            probe.top.give(None if given is None else np.array(given))
            assert probe(Tensor(scores)).asnumpy().tolist() == [list(expected)]
            seen = probe.top.seen()
            np.testing.assert_array_equal(seen.scores, scores[0])
            assert tuple(seen.places) == expected


def test_scores_are_those_of_the_given_places() -> None:
    with pynative():
        top = GivenTop(among=4, count=2)
        top.give(np.array([2, 0]))
        values, places = top(Tensor(SCORES), 2)
    assert values.asnumpy().tolist() == [[-1, 0.5]] and places.asnumpy().tolist() == [[2, 0]]


def test_what_was_not_told_is_equal_to_nothing() -> None:
    with pynative():
        top = GivenTop(among=4, count=2)
        top(Tensor(SCORES), 2)
        top.give(None)
        silent = top.seen()
    rest = (np.zeros(1), np.zeros(1, int), np.zeros((1, 4)))
    best = np.array([1, 3])
    for selection in (Selection(silent.scores, best), Selection(SCORES[0], silent.places)):
        computed = Computed([selection], *rest)
        assert prove(["scores"], computed, computed, 1e-3).fault != ""
