"""A file is a proof of itself only, and other detections need another choice as their reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from exported_files import GRAPH

from focus_detr.comparing.proof import Computed, Selection
from focus_detr.deploy.replay import Replayed
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.proving import prove_file
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction
from focus_detr.models.tokens import FOREGROUND

PICTURE = np.zeros((64, 96, 3), np.uint8)
FOUND = Detections(
    np.float32([[0, 0, 10, 10], [5, 5, 50, 40], [1, 2, 3, 4]]),
    np.float32([0.9, 0.5, 0.1]),
    np.array([0, 1, 1]),
)
OTHER = replace(FOUND, labels=1 - FOUND.labels)
SCORES, NEAR = np.float32([3, 2, 1, 0]), np.float32([3, 2, 2.000001, 0])
GRAPH_OF_ONE = replace(GRAPH, selections=1)


class FakeReference:
    """By itself it finds ``FOUND``; it has one list, of the ``count`` highest of four scores."""

    names = (FOREGROUND,)

    def __init__(self, scores: np.ndarray = SCORES, count: int = 2) -> None:
        self.scores, self.count = scores, count

    def predict(self, picture: np.ndarray) -> Prediction:
        return Prediction(FOUND, (), None)

    def fits(self, choices: Sequence[Selection]) -> bool:
        return [len(item.places) for item in choices] == [self.count]

    def compute(self, picture: np.ndarray, choices: Sequence[Selection]) -> Computed:
        selection = Selection(self.scores, choices[0].places)
        return Computed([selection], FOUND.scores, FOUND.labels, FOUND.boxes / np.float32(96))


def told(reference: FakeReference, served: Detections, places: Sequence[int] = (0, 1)) -> str:
    """What is told of a file that found this by itself, and chose these places."""
    scores = SCORES if reference.scores is SCORES else np.float32([3, 2, 2, 0])
    outputs = tuple(array[None] for array in (FOUND.scores, FOUND.labels, FOUND.boxes))
    lists = (scores[None], np.int32([places]))
    own = Replayed([Prediction(served, (), None)], outputs)
    telling = Replayed([], (*outputs, *lists))
    return prove_file(reference, GRAPH_OF_ONE, own, telling, [PICTURE], 1e-4)


def test_an_equal_file_is_told_so() -> None:
    words = told(FakeReference(), FOUND)
    assert "largest difference of numbers 0" in words and "all lists chosen alike" in words
    assert words.endswith(
        "2 of 2 detections with the same label, largest difference of scores 0, "
        "of boxes 0 of the longer side"
    )


def test_other_detections_pass_only_where_near_ties_changed_places() -> None:
    words = told(FakeReference(NEAR), OTHER)
    assert "1 of 2 places in lists went to another of nearly equal scores" in words
    assert words.endswith("for these swaps alone")
    with pytest.raises(FocusDetrError, match=r"differs .* 0\.0001 \(2 of 2 .* scores 0\.4,"):
        told(FakeReference(), OTHER)


def test_a_choice_that_scores_do_not_explain_is_refused() -> None:
    with pytest.raises(FocusDetrError, match="list by its foreground scores is not of the highest"):
        told(FakeReference(), FOUND, (0, 2))


def test_lists_of_another_network_are_refused() -> None:
    with pytest.raises(FocusDetrError, match="not those of the checkpoint's network"):
        told(FakeReference(count=3), FOUND)


def test_the_file_with_selections_must_give_the_very_same() -> None:
    outputs = tuple(array[None] for array in (FOUND.scores, FOUND.labels, FOUND.boxes))
    nearly = (np.nextafter(outputs[0], np.float32(1)), *outputs[1:])
    own = Replayed([Prediction(FOUND, (), None)], nearly)
    lists = (SCORES[None], np.int32([[0, 1]]))
    telling = Replayed([], (*outputs, *lists))
    with pytest.raises(FocusDetrError, match="output 1 is not, bit by bit, that of the same file"):
        prove_file(FakeReference(), GRAPH_OF_ONE, own, telling, [PICTURE], 1e-4)
