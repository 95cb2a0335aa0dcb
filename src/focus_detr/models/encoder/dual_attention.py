"""Dual attention, section 3.3: the best object tokens attend to each other.

MCSP gives every kept token a category score; foreground x category ranks them, and the 300 best go
through ordinary self-attention before the layer's deformable attention.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.ops import constexpr

from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import BLOCKED, MultiHeadAttention
from focus_detr.models.tokens import UNRANKED, TopScores, gather_tokens, scatter_tokens

# primitives: functions and shapes in brackets take longer to compile, in every layer
_largest, _shape = ops.ArgMaxWithValue(axis=-1), ops.Shape()
_cast, _expand = ops.Cast(), ops.ExpandDims()


@constexpr
def _at_most(limit: int, shape: tuple[int, int]) -> int:
    """Object tokens O of [B, K] kept ones."""
    return min(limit, shape[1])


def object_scores(class_logits: Tensor, foreground: Tensor, score: str) -> Tensor:
    """Rank of a token as an object: category x foreground.

    Args:
        class_logits: [B, K, classes] of the MCSP head.
        foreground: [B, K] foreground logits.
        score: "logits" multiplies the raw logits, as the released code does (two negative logits
            give a large positive score); "probabilities" is equation 3.

    Returns:
        [B, K] float32.
    """
    _, category = _largest(class_logits)
    if score == "probabilities":
        return ops.sigmoid(category) * ops.sigmoid(foreground)
    return category * foreground


class DualAttention(nn.Cell):
    """Self-attention among the object tokens, with residual and norm.

    Args:
        category_head: class head that MCSP shares.
        width: C.
        heads: M.
        object_tokens: how many attend to each other, at most.
        score: as for ``object_scores``.
    """

    def __init__(
        self,
        category_head: nn.Cell,
        width: int,
        heads: int,
        *,
        object_tokens: int = 300,
        score: str = "logits",
    ) -> None:
        super().__init__()
        self.category_head = category_head
        self.attention = MultiHeadAttention(width, heads)
        self.norm = LayerNorm(width)
        self.object_tokens = object_tokens
        self.score = score
        self.top = TopScores()

    def count(self, kept: int) -> int:
        """Object tokens O of so many kept ones."""
        return min(self.object_tokens, kept)

    def select(
        self, class_logits: Tensor, foreground: Tensor, takes_part: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Choose the object tokens among the kept ones.

        Args:
            class_logits: [B, K, classes].
            foreground: [B, K] logits.
            takes_part: [B, K] bool, which of them may be chosen.

        Returns:
            [B, O] int32 positions in the list of kept tokens and [B, O] bool, False for a filler.
        """
        scores = object_scores(class_logits, foreground, self.score)
        scores = ops.select(takes_part, scores, ops.full_like(scores, UNRANKED))
        count = _at_most(self.object_tokens, _shape(scores))
        best, objects = self.top(ops.stop_gradient(scores), count)
        return objects, best > 0.5 * UNRANKED

    def attend(self, tokens: Tensor, position: Tensor, is_object: Tensor) -> Tensor:
        """Self-attention plus residual, before the norm: [B, O, C] twice -> [B, O, C]."""
        hidden = (1.0 - _cast(is_object, ms.float32)) * BLOCKED  # [B, O]
        hidden = _expand(_expand(hidden, 1), 1)  # [B, 1, 1, O]
        return self.attention(tokens, position, hidden)

    def construct(
        self, query: Tensor, position: Tensor, foreground: Tensor, takes_part: Tensor
    ) -> Tensor:
        """Enhance the object tokens among the kept ones: [B, K, C] -> [B, K, C]."""
        objects, is_object = self.select(self.category_head(query), foreground, takes_part)
        tokens = gather_tokens(query, objects)  # [B, O, C]
        looks_from = gather_tokens(position, objects)  # [B, O, C]
        enhanced = self.norm(self.attend(tokens, looks_from, is_object))
        return scatter_tokens(query, objects, enhanced, ops.logical_not(is_object))
