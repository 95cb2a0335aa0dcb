"""The Sparse selector: a score for every token, all levels of an image at once (Sparse DETR)."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.grid import Grid
from focus_detr.models.selection.foreground_selector import ScoreMLP


class SparseSelector(nn.Cell):
    """Half of the score MLP's features see the mean over all levels.

    Those of Focus-DETR's selector, which has the same MLP, see the mean of their own level.
    """

    def __init__(self, score_mlp: ScoreMLP) -> None:
        super().__init__()
        self.score_mlp = score_mlp

    def construct(self, features: Tensor, grid: Grid, isolated: bool) -> Tensor:
        """Score.

        Args:
            features: [B, N, C], projected memory.
            grid: of the batch.
            isolated: leave padding out of the mean.

        Returns:
            [B, N] raw logits, of padded tokens too.
        """
        valid = grid["valid"]
        if isolated:
            count = valid.sum(axis=1).reshape(-1, 1, 1)  # [B, 1, 1]
            return self.score_mlp(features, None, valid, count)[..., 0]
        everything = float(valid.shape[1])
        return self.score_mlp(features, None, ops.ones_like(valid), everything)[..., 0]
