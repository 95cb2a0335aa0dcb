"""Class and box heads: one pair per decoder layer and one for the encoder, in that order."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import box_sigmoid, inverse_sigmoid
from focus_detr.models.layers import MLP
from focus_detr.ops.products import Linear


def build_heads(width: int, num_classes: int, decoder_layers: int) -> tuple[nn.CellList, ...]:
    """Class heads and box heads, ``decoder_layers`` + 1 of each; the encoder owns the last."""
    class_heads = nn.CellList([Linear(width, num_classes) for _ in range(decoder_layers + 1)])
    box_heads = nn.CellList([MLP(width, width, 4, 3) for _ in range(decoder_layers + 1)])
    return class_heads, box_heads


def predict(
    states: Tensor, starts: Tensor, class_heads: nn.CellList, box_heads: nn.CellList
) -> tuple[Tensor, Tensor]:
    """Logits and boxes of every decoder layer.

    Args:
        states: [layers, B, Q, C] normed decoder states.
        starts: [layers, B, Q, 4] boxes that the predictions start from.
        class_heads: at least one per layer.
        box_heads: at least one per layer.

    Returns:
        [layers, B, Q, classes] logits and [layers, B, Q, 4] boxes, cx cy w h in 0..1.
    """
    logits, boxes = (), ()
    for index in range(states.shape[0]):
        logits += (class_heads[index](states[index]),)
        start = inverse_sigmoid(starts[index])
        boxes += (box_sigmoid(box_heads[index](states[index]) + start),)
    return ops.stack(logits), ops.stack(boxes)
