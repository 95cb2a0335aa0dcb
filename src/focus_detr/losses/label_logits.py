"""What every query says about the class of every target."""

from __future__ import annotations

from mindspore import Tensor, ops


def logits_of_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Pick each target's class: [H, B, Q, classes], [B, T] int32 -> [H, B, T, Q]."""
    heads, batch, queries, _ = logits.shape
    index = labels.reshape(1, batch, -1, 1)  # [1, B, T, 1]
    index = ops.broadcast_to(index, (heads, batch, labels.shape[1], queries))  # [H, B, T, Q]
    return ops.gather_d(logits.swapaxes(2, 3), 2, index)  # [H, B, T, Q]
