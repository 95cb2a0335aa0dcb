"""Auxiliary heads of the encoder: what its layers predict for the tokens they refine (Sparse DETR).

They are for training only; nothing reads their predictions afterwards.
"""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import BoxSigmoid
from focus_detr.models.layers import MLP
from focus_detr.ops.products import Linear


class EncoderHeads(nn.Cell):
    """A class head and a box head for each of the first layers.

    Args:
        width: C.
        num_classes: number of object classes.
        layers: how many layers predict.
    """

    def __init__(self, width: int, num_classes: int, layers: int) -> None:
        super().__init__()
        self.class_heads = nn.CellList([Linear(width, num_classes) for _ in range(layers)])
        self.box_heads = nn.CellList([MLP(width, width, 4, 3) for _ in range(layers)])
        self.sigmoid = BoxSigmoid()

    def construct(self, refined: tuple[Tensor, ...], proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Predict.

        Args:
            refined: [B, K, C] per layer, at least as many as there are heads.
            proposals: [B, K, 4] logits of the boxes that these tokens propose.

        Returns:
            [layers, B, K, classes] logits and [layers, B, K, 4] boxes, cx cy w h in 0..1.
        """
        logits, boxes = (), ()
        for index, class_head in enumerate(self.class_heads):
            logits += (class_head(refined[index]),)
            boxes += (self.sigmoid(self.box_heads[index](refined[index]) + proposals),)
        return ops.stack(logits), ops.stack(boxes)
