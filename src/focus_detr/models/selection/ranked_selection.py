"""What selections that rank scores have in common."""

from __future__ import annotations

from mindspore import nn

from focus_detr.models.selection.token_ranking import TokenRanking
from focus_detr.models.tokens import FOREGROUND, Choice


class RankedSelection(nn.Cell):
    """Base of the selections that keep the best-ranked tokens.

    Args:
        ranking: of the scores.
    """

    def __init__(self, ranking: TokenRanking) -> None:
        super().__init__()
        self.ranking = ranking

    def counts(self, tokens: int) -> tuple[int, ...]:
        """Length of each layer's list for N tokens."""
        return self.ranking.static_counts(tokens)

    def choices(self, tokens: int) -> list[Choice]:
        """The ranking."""
        return [Choice(FOREGROUND, self.ranking, tokens, self.ranking.static_length(tokens))]
