"""Foreground token selector (FTS), section 3.2 of the paper.

Every token gets a foreground score. Levels are scored one after the other; each level's logits,
resized, modulate the features of the next (equation 2). The scores are supervised by the boxes
(``losses/foreground.py``) and rank the tokens for the encoder.

Products here are the ``BatchMatMul`` primitive: the gradient of ``ops.matmul`` does not compile for
a batch of one image when a level has a single row, column or token (MindSpore 2.10).
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Uniform, initializer

from focus_detr.models.layer_norm import LayerNorm
from focus_detr.ops.products import Linear, WeighRows

ALPHA_RANGE = 0.3


def resize_matrix(source_valid: Tensor, target_valid: Tensor) -> Tensor:
    """Bilinear resize along one axis as a matrix, corners aligned over the valid cells.

    Args:
        source_valid: [B, m] float32, valid cells of the level that is read.
        target_valid: [B, n] float32, valid cells of the level that is written.

    Returns:
        [B, n, m]: row i holds the weights of the source cells for target cell i.
    """
    source = source_valid.sum(axis=1, keepdims=True)  # [B, 1]
    target = target_valid.sum(axis=1, keepdims=True)  # [B, 1]
    step = (source - 1.0) / ops.maximum(target - 1.0, 1.0)
    position = ops.arange(target_valid.shape[1]).astype(ms.float32)[None, :] * step
    position = ops.minimum(position, source - 1.0)  # [B, n]
    cell = ops.arange(source_valid.shape[1]).astype(ms.float32)
    return ops.relu(1.0 - ops.abs(position[:, :, None] - cell[None, None, :]))


class ScoreMLP(nn.Cell):
    """MLP_F of equation 2: half of the features see their token, half the mean of the level."""

    def __init__(self, width: int, *, modulate_after_norm: bool = False) -> None:
        super().__init__()
        self.modulate_after_norm = modulate_after_norm
        self.local = width // 2
        self.weigh = WeighRows()
        self.norm = LayerNorm(width)
        self.input = Linear(width, width, activation="gelu")
        self.hidden1 = Linear(width, width // 2, activation="gelu")
        self.hidden2 = Linear(width // 2, width // 4, activation="gelu")
        self.output = Linear(width // 4, 1)
        self.multiply = ops.BatchMatMul()

    def construct(self, features: Tensor, factor: Tensor | None, counted: Tensor) -> Tensor:
        """Score the tokens of one level.

        Args:
            features: [B, n, C].
            factor: [B, n, 1] modulation, or None.
            counted: [B, n] float32, tokens that the level's mean includes.

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
        total = self.multiply(counted[:, None, :], x[..., self.local :])  # [B, 1, C/2]
        mean = total / counted.sum(axis=1).reshape(-1, 1, 1)  # [B, 1, C/2] / [B, 1, 1]
        shared = ops.broadcast_to(mean, (x.shape[0], x.shape[1], mean.shape[2]))  # [B, n, C/2]
        x = ops.concat((x[..., : self.local], shared), axis=-1)  # [B, n, C]
        return self.output(self.hidden2(self.hidden1(x)))


class ForegroundSelector(nn.Cell):
    """Scores of all tokens by top-down (or bottom-up, or no) modulation over the levels."""

    def __init__(self, score_mlp: ScoreMLP, *, levels: int, modulation: str = "top_down") -> None:
        super().__init__()
        self.score_mlp = score_mlp
        self.alpha = Parameter(initializer(Uniform(ALPHA_RANGE), (levels - 1,)))
        self.modulation = modulation
        coarse_to_fine = tuple(range(levels - 1, -1, -1))
        self.order = coarse_to_fine if modulation == "top_down" else coarse_to_fine[::-1]
        self.steps = tuple(self.order.index(level) for level in range(levels))
        self.multiply = ops.BatchMatMul()
        self.multiply_transposed = ops.BatchMatMul(transpose_b=True)

    def construct(
        self,
        features: tuple[Tensor, ...],
        validity: tuple[tuple[Tensor, Tensor], ...],
        counted: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Score every level.

        Args:
            features: [B, h*w, C] per level, projected memory.
            validity: row and column validity per level that the resizing aligns to.
            counted: [B, h*w] per level, tokens that a level's mean includes.

        Returns:
            [B, h*w, 1] raw foreground logits per level.
        """
        return self.modulated(features, validity, counted)[0]

    def modulated(
        self,
        features: tuple[Tensor, ...],
        validity: tuple[tuple[Tensor, Tensor], ...],
        counted: tuple[Tensor, ...],
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor | None, ...]]:
        """What ``construct`` returns, and what modulated each level: [B, h*w, 1], or None."""
        scores, factors = (), ()  # in the order of the scoring
        for step, level in enumerate(self.order):
            factor = None
            if step > 0 and self.modulation != "none":
                source = self.order[step - 1]
                resized = self._resize(scores[step - 1], validity[source], validity[level])
                factor = 1.0 + resized * self.alpha[step - 1]
            factors += (factor,)
            scores += (self.score_mlp(features[level], factor, counted[level]),)
        by_level, factors_by_level = (), ()
        for step in self.steps:
            by_level += (scores[step],)
            factors_by_level += (factors[step],)
        return by_level, factors_by_level

    def _resize(
        self, score: Tensor, source: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]
    ) -> Tensor:
        """[B, h*w, 1] logits of the source level on the target level's grid: [B, h'*w', 1]."""
        batch, rows = source[0].shape
        grid = score.reshape(batch, rows, source[1].shape[1])  # [B, h, w]
        vertical = resize_matrix(source[0], target[0])  # [B, h', h]
        horizontal = resize_matrix(source[1], target[1])  # [B, w', w]
        rows_resized = self.multiply(vertical, grid)  # [B, h', w]
        resized = self.multiply_transposed(rows_resized, horizontal)  # [B, h', w']
        return resized.reshape(batch, -1, 1)  # [B, h'*w', 1]
