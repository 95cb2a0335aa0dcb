"""What a network looked at in a picture, beyond the tokens that its encoder kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Looks:
    """Of one image; token numbers are those of ``KeptTokens.ranked``."""

    # [N] logits that the tokens were ranked by, padding below all; None: all tokens are kept
    scores: np.ndarray | None
    # [O] object tokens of each encoder layer, best first; none without dual attention
    objects: tuple[np.ndarray, ...]
    attention: np.ndarray | None = None  # [N], how much the decoder looked at each, if it tells
