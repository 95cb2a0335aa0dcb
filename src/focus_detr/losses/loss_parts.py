"""The parts of the training loss: their weights, names and order.

Parts come in streams: heads that learn in one way, such as the decoder's layers or its denoising
slots. They are listed by kind (L1, class, generalized IoU), then stream by stream, in a decoder's
stream the last layer first, as the reference logs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mindspore import Tensor, ops

from focus_detr.losses.set_losses import Losses
from focus_detr.ops.slicing import part

KINDS = ("loss_bbox", "loss_class", "loss_giou")
Weights = tuple[float, float, float]  # of the three kinds


@dataclass(frozen=True)
class LossWeights:
    """Of the parts of the total."""

    box: float = 5.0  # L1
    giou: float = 2.0
    class_: float = 1.0  # of the decoder's layers
    encoder_class: float = 1.0
    denoising_class: float = 1.0
    foreground: float = 1.5
    mask_prediction: float = 1.0

    def of(self, class_weight: float, share: float = 1.0) -> Weights:
        """Of the three kinds in the order of ``Losses``, times a share."""
        return share * self.box, share * class_weight, share * self.giou


USUAL_WEIGHTS = LossWeights()


def layer_heads(layers: int, stream: str = "", first: int = 0) -> tuple[str, ...]:
    """What the names of a decoder's heads end with, the last layer first.

    Args:
        layers: of the decoder.
        stream: ending of all of them.
        first: layer that has losses.
    """
    return (stream, *(f"{stream}_{layer}" for layer in range(first, layers - 1)))


def encoder_heads(proposals: bool, layers: int) -> tuple[str, ...]:
    """What the names of the encoder's heads end with: proposals, then layers."""
    return (*(("_enc",) if proposals else ()), *(f"_enc_{layer}" for layer in range(layers)))


def part_names(heads: Sequence[str]) -> tuple[str, ...]:
    """Names of the parts of all heads."""
    return tuple(f"{kind}{head}" for kind in KINDS for head in heads)


def _last_first(values: Tensor) -> tuple[Tensor, ...]:
    """Values of the last of a decoder's layers, then of the earlier ones, if there are any."""
    layers = values.shape[0]
    if layers == 1:
        return (values,)
    return part(values, 0, layers - 1, layers), part(values, 0, 0, layers - 1)


def in_named_order(
    decoders: tuple[Losses, ...],
    encoder: tuple[Losses, ...],
    weights: tuple[Weights, ...],
    count: Tensor,
) -> Tensor:
    """Weighted and normalised parts in the order of ``part_names``.

    Args:
        decoders: the streams of a decoder's layers.
        encoder: the encoder's heads, which are one stream.
        weights: of all streams, the encoder's last.
        count: [], what the losses are divided by.
    """
    parts: tuple[Tensor, ...] = ()
    for kind in range(len(KINDS)):
        for number, losses in enumerate(decoders):
            parts += _last_first(losses[kind] * weights[number][kind])
        for losses in encoder:
            parts += (losses[kind] * weights[-1][kind],)
    return ops.concat(parts) / count
