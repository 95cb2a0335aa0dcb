"""What a network's scores chose, read after each run of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from focus_detr.models.detr import DETR
from focus_detr.models.tokens import Choice


class Chosen(NamedTuple):
    """One choice of the last run."""

    name: str  # of the scores, such as ``tokens.FOREGROUND``
    scores: np.ndarray  # [N] float32, chosen among
    places: np.ndarray  # [K] int32, best first


class RecordedTop(nn.Cell):
    """``models.tokens.TopScores`` that remembers: for one image, whatever the length of its lists.

    Args:
        name: of its parameters, by which graphs are told apart.
        among: length of the longest list of scores.
        count: of the longest choice.
    """

    def __init__(self, name: str, among: int, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.among, self.count = among, count
        self.scores = _state(np.zeros((1, among), np.float32), f"{name}_scores")
        self.places = _state(np.zeros((1, count), np.int32), f"{name}_places")

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """[1, N] -> [1, count] highest scores, best first, and [1, count] int32: their places."""
        values, places = ops.topk(scores, count)
        places = places.astype(ms.int32)
        ops.assign(self.scores, _filled(scores, self.among))
        ops.assign(self.places, _filled(places, self.count))
        return values, places


def _filled(values: Tensor, length: int) -> Tensor:
    """[1, n] with zeros behind: [1, length]."""
    missing = length - values.shape[1]
    if missing == 0:
        return values
    return ops.concat((values, ops.zeros((1, missing), values.dtype)), axis=1)


def _state(values: np.ndarray, name: str) -> Parameter:
    return Parameter(Tensor(values), name=name, requires_grad=False)


class ChoiceRecorder:
    """All choices of a network up to its queries, for one image at a time."""

    def __init__(self, model: DETR, shapes: Sequence[tuple[int, int]]) -> None:
        """Put recorders into a network, which changes it; it must not have been compiled yet.

        Args:
            model: the network.
            shapes: (height, width) of the padded images that it will be given.
        """
        self._model = model
        self._tops: list[RecordedTop] = []
        for number, choices in enumerate(zip(*(model.choices(*s) for s in shapes), strict=True)):
            among, count = max(c.among for c in choices), max(c.count for c in choices)
            top = RecordedTop(f"choice{number}", among, count)
            choices[0].place.top = top
            for part in ("scores", "places"):  # a cell that takes another in renames it
                getattr(top, part).name = f"choice{number}_{part}"
            self._tops.append(top)

    def last(self, height: int, width: int) -> list[Chosen]:
        """What the last run chose, if its image was padded to height x width pixels."""
        choices = self._model.choices(height, width)
        return [_read(*pair) for pair in zip(self._tops, choices, strict=True)]


def _read(top: RecordedTop, choice: Choice) -> Chosen:
    scores = top.scores.asnumpy()[0, : choice.among].copy()
    return Chosen(choice.name, scores, top.places.asnumpy()[0, : choice.count].copy())
