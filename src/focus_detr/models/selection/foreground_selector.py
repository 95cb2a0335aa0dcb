"""Foreground token selector (FTS), section 3.2 of the paper.

Every token gets a foreground score. Levels are scored one after the other; each level's logits,
resized, modulate the features of the next (equation 2). The scores are supervised by the boxes
(``losses/foreground.py``) and rank the tokens for the encoder.

Products here are the ``BatchMatMul`` primitive: the gradient of ``ops.matmul`` does not compile for
a batch of one image when a level has a single row, column or token (MindSpore 2.10).
"""

from __future__ import annotations

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Uniform, initializer

from focus_detr.models.geometry import Shapes, level_starts
from focus_detr.models.grid import Grid
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.selection.resizing import full_matrices, resize_matrices
from focus_detr.ops.products import Linear, WeighRows
from focus_detr.ops.slicing import part

ALPHA_RANGE = 0.3


class ScoreMLP(nn.Cell):
    """MLP_F of equation 2: half of the features see their token, half the mean of the level."""

    def __init__(self, width: int, *, modulate_after_norm: bool = False) -> None:
        super().__init__()
        self.modulate_after_norm = modulate_after_norm
        self.local, self.width = width // 2, width
        self.weigh = WeighRows()
        self.norm = LayerNorm(width)
        self.input = Linear(width, width, activation="gelu")
        self.hidden1 = Linear(width, width // 2, activation="gelu")
        self.hidden2 = Linear(width // 2, width // 4, activation="gelu")
        self.output = Linear(width // 4, 1)
        self.multiply, self.expand = ops.BatchMatMul(), ops.ExpandDims()

    def construct(
        self, features: Tensor, factor: Tensor | None, counted: Tensor, count: Tensor | float
    ) -> Tensor:
        """Score the tokens of one level.

        Args:
            features: [B, n, C].
            factor: [B, n, 1] modulation, or None.
            counted: [B, n] float32, tokens that the level's mean includes.
            count: [B, 1, 1], how many these are; a number if all images have as many.

        Returns:
            [B, n, 1] logits.
        """
        if factor is None:
            x = self.norm(features)
        elif self.modulate_after_norm:
            x = self.weigh(self.norm(features), factor)
        else:
            x = self.norm(self.weigh(features, factor))
        x = self.input(x)
        own, seen = part(x, 2, 0, self.local), part(x, 2, self.local, self.width)  # [B, n, C/2]
        total = self.multiply(self.expand(counted, 1), seen)  # [B, 1, C/2]
        mean = total / count  # [B, 1, C/2]
        shared = ops.broadcast_to(mean, (x.shape[0], x.shape[1], mean.shape[2]))  # [B, n, C/2]
        x = ops.concat((own, shared), axis=-1)  # [B, n, C]
        return self.output(self.hidden2(self.hidden1(x)))


class ForegroundSelector(nn.Cell):
    """Scores of all tokens by top-down (or bottom-up, or no) modulation over the levels."""

    def __init__(self, score_mlp: ScoreMLP, *, levels: int, modulation: str = "top_down") -> None:
        super().__init__()
        self.score_mlp = score_mlp
        self.alpha = Parameter(initializer(Uniform(ALPHA_RANGE), (levels - 1,)))
        self.modulates = modulation != "none"
        coarse_to_fine = tuple(range(levels - 1, -1, -1))
        self.order = coarse_to_fine if modulation == "top_down" else coarse_to_fine[::-1]
        self.steps = tuple(self.order.index(level) for level in range(levels))
        self.multiply = ops.BatchMatMul()
        self.multiply_transposed = ops.BatchMatMul(transpose_b=True)

    def construct(self, features: Tensor, grid: Grid, shapes: Shapes, isolated: bool) -> Tensor:
        """Score all tokens.

        Args:
            features: [B, N, C].
            grid: of the batch.
            shapes: (rows, columns) of each level.
            isolated: whether padded tokens are left out of means and of the resizing.

        Returns:
            [B, N] raw foreground logits.
        """
        levels = self.modulated(features, grid, shapes, isolated)[0]
        return ops.concat(levels, axis=1)[..., 0]

    def modulated(
        self, features: Tensor, grid: Grid, shapes: Shapes, isolated: bool
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """Scores, and what modulated the features: [B, h*w, 1] (or None) per level both."""
        batch, starts = features.shape[0], level_starts(shapes)
        if isolated:
            extents = grid["extents"]  # [B, L, 2]
            matrices = resize_matrices(extents, shapes, self.order)
            cells = extents[..., 0] * extents[..., 1]  # [B, L]
        else:
            matrices, cells = full_matrices(batch, shapes, self.order), None
        scores, factors = (), ()  # in the order of the scoring
        for step, level in enumerate(self.order):
            factor = None
            if step > 0 and self.modulates:
                source = shapes[self.order[step - 1]]
                rows, columns = matrices[2 * step - 2], matrices[2 * step - 1]
                resized = self._resize(scores[step - 1], source, rows, columns)
                factor = 1.0 + resized * self.alpha[step - 1]
            factors += (factor,)
            start, end = starts[level], starts[level + 1]
            counted, count = _counted(grid, cells, level, start, end)
            scores += (self.score_mlp(part(features, 1, start, end), factor, counted, count),)
        by_level, factors_by_level = (), ()
        for step in self.steps:
            by_level += (scores[step],)
            factors_by_level += (factors[step],)
        return by_level, factors_by_level

    def _resize(
        self, score: Tensor, source: tuple[int, int], rows: Tensor, columns: Tensor
    ) -> Tensor:
        """[B, h*w, 1] logits on another level's grid: [B, h'*w', 1]."""
        grid = score.reshape(-1, *source)  # [B, h, w]
        rows_resized = self.multiply(rows, grid)  # [B, h', w]
        resized = self.multiply_transposed(rows_resized, columns)  # [B, h', w']
        return resized.reshape(resized.shape[0], -1, 1)  # [B, h'*w', 1]


def _counted(
    grid: Grid, cells: Tensor | None, level: int, start: int, end: int
) -> tuple[Tensor, Tensor | float]:
    """Tokens of a level that its mean includes [B, h*w], and how many these are.

    That is all of them, or where images are isolated what ``cells`` [B, L] says.
    """
    valid = part(grid["valid"], 1, start, end)
    if cells is None:
        return ops.ones_like(valid), float(end - start)
    return valid, part(cells, 1, level, level + 1).reshape(-1, 1, 1)  # [B, 1, 1]
