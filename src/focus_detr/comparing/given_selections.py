"""A network that chooses what another one chose, and tells what it chose among.

Nearly equal scores come out in another order wherever sums are rounded otherwise, and from there on
two networks compute different things. With the choices of the other, every number can be compared.

What MindSpore warns of at ``GLOG_v=2``, "Some side effect nodes were eliminated by mistake", is not
about the assignments below: its nodes are items of tuples that nobody reads, such as the first of
``_, ranked = top(...)``. All scores and places arrive; one that did not would be NaN or -1, which
``proof.prove`` finds equal to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.comparing.proof import DETECTIONS, Selection
from focus_detr.models.detector import Detector
from focus_detr.models.tokens import Choice

_OWN = -1  # instead of a place: choose yourself


class GivenTop(nn.Cell):
    """``models.tokens.TopScores``, with the places given from outside."""

    def __init__(self, among: int, count: int, pictures: int = 1) -> None:
        super().__init__(auto_prefix=False)
        self.given = _state(np.full((pictures, count), _OWN, np.int32))
        self.places = _state(np.zeros((pictures, count), np.int32))
        self.scores = _state(np.zeros((pictures, among), np.float32))

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """[B, N] -> [B, count] scores and [B, count] int32: their places."""
        own = ops.topk(scores, count)[1]  # an item that nobody reads brings a warning
        places = ops.select(self.given >= 0, self.given, own.astype(ms.int32))
        ops.assign(self.scores, scores)
        ops.assign(self.places, places)
        return ops.gather_d(scores, 1, places.astype(ms.int64)), places

    def give(self, places: np.ndarray | None) -> None:
        """[K] places of a picture, or [B, K], for the next run; None: choose yourself."""
        shape = self.given.shape
        rows = np.full(shape, _OWN) if places is None else np.reshape(places, shape)
        self.given.set_data(Tensor(rows.astype(np.int32)))
        # so that what a run failed to tell is not equal to anything
        self.places.set_data(Tensor(np.full(shape, _OWN, np.int32)))
        self.scores.set_data(Tensor(np.full(self.scores.shape, np.nan, np.float32)))

    def seen(self, picture: int = 0) -> Selection:
        """Of the last run."""
        scores, places = self.scores.asnumpy()[picture], self.places.asnumpy()[picture]
        return Selection(scores.copy(), places.copy())


class GivenSelections:
    """Every selection of a detector, in the order of the computation."""

    def __init__(self, detector: Detector, height: int, width: int, pictures: int = 1) -> None:
        """Put them into a detector, which changes it.

        Args:
            detector: for padded pictures of this size.
            height: pixels.
            width: pixels.
            pictures: at once.
        """
        self._pictures = pictures
        self.names: list[str] = []
        self._tops: list[GivenTop] = []
        model = detector.model
        for choice in model.choices(height, width):
            self._put(choice)
        pairs = model.query_count(height, width) * model.num_classes
        count = min(detector.max_detections, pairs)
        self._put(Choice(DETECTIONS, detector, pairs, count))

    def _put(self, choice: Choice) -> None:
        top = choice.place.top = GivenTop(choice.among, choice.count, self._pictures)
        for part in ("given", "places", "scores"):  # a cell that takes another in renames it
            getattr(top, part).name = f"selection{len(self._tops)}_{part}"
        self.names.append(choice.name)
        self._tops.append(top)

    def give(self, selections: Sequence[np.ndarray | None] | None) -> None:
        """[K] or [B, K] places of each list, or None: the detector chooses for itself."""
        for index, top in enumerate(self._tops):
            top.give(None if selections is None else selections[index])

    def seen(self, picture: int = 0) -> list[Selection]:
        """What the last run chose among in a picture, and what it chose."""
        return [top.seen(picture) for top in self._tops]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of each list: among how many it chooses, and how many."""
        return [(top.scores.shape[1], top.given.shape[1]) for top in self._tops]


def _state(values: np.ndarray) -> Parameter:
    return Parameter(Tensor(values), requires_grad=False)
