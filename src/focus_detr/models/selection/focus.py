"""Focus-DETR's selection: a foreground selector scores the tokens, a cascade keeps the best."""

from __future__ import annotations

from mindspore import Tensor, ops

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.selection.foreground_selector import ForegroundSelector
from focus_detr.models.selection.ranked_selection import RankedSelection
from focus_detr.models.selection.selection import Selection
from focus_detr.models.selection.token_ranking import TokenRanking


class FocusSelection(RankedSelection):
    """Section 3.2 of the paper.

    Args:
        selector: scores the tokens.
        projection: of tokens plus positions, which the selector then reads; None: it reads the
            neck's maps.
        ranking: of the scores.
    """

    def __init__(
        self,
        selector: ForegroundSelector,
        projection: MemoryProjection | None,
        ranking: TokenRanking,
    ) -> None:
        super().__init__(ranking)
        self.selector = selector
        self.projects = projection is not None
        if projection is not None:
            self.projection = projection

    def features(self, tokens: Tensor, grid: Grid) -> Tensor:
        """What the selector scores: [B, N, C] -> [B, N, C]."""
        if not self.projects:
            return tokens
        return self.projection(tokens + grid["position"], grid["usable"])

    def construct(self, tokens: Tensor, grid: Grid, shapes: Shapes, isolated: bool) -> Selection:
        """As described at ``TokenSelection``."""
        scores = self.selector(self.features(tokens, grid), grid, shapes, isolated)  # [B, N]
        masked = ops.stop_gradient(self.ranking.mask_scores(scores, grid["valid"], isolated))
        ranked, limits, written = self.ranking(masked, grid["valid"], isolated)
        return {
            "ranked": ranked,
            "limits": limits,
            "written": written,
            "scores": scores,
            "masked": masked,
        }
