"""Sparse DETR's selection: all tokens of an image are scored at once, one share of them is kept."""

from __future__ import annotations

from mindspore import Tensor, ops

from focus_detr.models.geometry import Shapes
from focus_detr.models.grid import Grid
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.selection.ranked_selection import RankedSelection
from focus_detr.models.selection.selection import Selection
from focus_detr.models.selection.sparse_selector import SparseSelector
from focus_detr.models.selection.token_ranking import TokenRanking


class SparseSelection(RankedSelection):
    """Section 3.2 of the Sparse DETR paper.

    The scores are supervised as they are ranked, padding filled in, so that the gradient of padded
    tokens goes to the lowest score, as in the reference.

    Args:
        selector: scores the tokens.
        projection: of tokens plus positions, which the selector reads.
        ranking: of the scores; all layers refine the same tokens.
    """

    def __init__(
        self, selector: SparseSelector, projection: MemoryProjection, ranking: TokenRanking
    ) -> None:
        super().__init__(ranking)
        self.selector = selector
        self.projection = projection

    def construct(self, tokens: Tensor, grid: Grid, shapes: Shapes, isolated: bool) -> Selection:
        """As described at ``TokenSelection``; tokens beyond ``written`` take no part anywhere."""
        features = self.projection(tokens + grid["position"], grid["usable"])  # [B, N, C]
        raw = self.selector(features, grid, isolated)  # [B, N]
        scores = self.ranking.mask_scores(raw, grid["valid"], isolated)
        ranked, _, written = self.ranking(scores, grid["valid"], isolated)
        return {
            "ranked": ranked,
            "limits": written,
            "written": written,
            "scores": scores,
            "masked": ops.stop_gradient(scores),
        }
