"""What a detector computed for a picture, as arrays by name that one process tells another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from focus_detr.comparing.proof import Computed, Selection

_AMONG, _CHOSEN = "among ", "chosen "  # before the name of a list
_DETECTIONS = ("scores", "labels", "boxes")
_TOKENS = "tokens{}"

Numbers = Mapping[str, np.ndarray]


def told(names: Sequence[str], computed: Computed) -> dict[str, np.ndarray]:
    """Everything, in the order of the computation.

    Args:
        names: of the lists.
        computed: of one picture.
    """
    numbers = told_lists(names, computed.selections)
    numbers |= {name: getattr(computed, name) for name in _DETECTIONS}
    return numbers | {_TOKENS.format(i): array for i, array in enumerate(computed.tokens)}


def told_lists(names: Sequence[str], selections: Sequence[Selection]) -> dict[str, np.ndarray]:
    """The lists alone, in the order of the computation."""
    numbers = {}
    for name, selection in zip(names, selections, strict=True):
        numbers[_AMONG + name] = selection.scores
        numbers[_CHOSEN + name] = selection.places
    return numbers


def list_names(numbers: Numbers) -> list[str]:
    """Names of the lists in what was told."""
    return [name.removeprefix(_AMONG) for name in numbers if name.startswith(_AMONG)]


def selections_of(numbers: Numbers) -> list[Selection]:
    """The lists in what was told."""
    return [Selection(numbers[_AMONG + n], numbers[_CHOSEN + n]) for n in list_names(numbers)]


def lists_of(numbers: Numbers) -> Computed:
    """The lists, as of a network that detects nothing."""
    nothing = np.zeros(0, np.float32)
    return Computed(selections_of(numbers), nothing, nothing, nothing)


def without_lists(numbers: Numbers) -> dict[str, np.ndarray]:
    """What is compared number by number, in what was told."""
    return {n: array for n, array in numbers.items() if not n.startswith((_AMONG, _CHOSEN))}


def computed_of(numbers: Numbers) -> Computed:
    """What ``told`` took apart."""
    scores, labels, boxes = (numbers[name] for name in _DETECTIONS)
    tokens = [array for name, array in numbers.items() if name.startswith(_TOKENS.format(""))]
    return Computed(selections_of(numbers), scores, labels, boxes, tokens)
