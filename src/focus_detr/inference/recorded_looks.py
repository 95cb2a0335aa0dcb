"""What a network looked at, from its recorded choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focus_detr.inference.looks import Looks
from focus_detr.models.choice_recorder import Chosen
from focus_detr.models.tokens import FOREGROUND, OBJECTS, UNRANKED

_OBJECTS = OBJECTS.partition("{")[0]


def looks_of(
    choices: Sequence[Chosen], ranked: np.ndarray, attention: np.ndarray | None = None
) -> Looks:
    """Read a network's choices.

    Args:
        choices: of one run.
        ranked: [K] tokens that the encoder was given; object tokens are places among them.
        attention: as in ``Looks``.
    """
    scores = next((choice.scores for choice in choices if choice.name == FOREGROUND), None)
    objects = tuple(
        ranked[_real_places(choice)] for choice in choices if choice.name.startswith(_OBJECTS)
    )
    return Looks(scores, objects, attention)


def _real_places(choice: Chosen) -> np.ndarray:
    """Without those that only fill the list."""
    return choice.places[choice.scores[choice.places] > 0.5 * UNRANKED]
