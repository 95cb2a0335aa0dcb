"""Class and box heads: of each decoder layer and, with two stages, of the encoder (the last)."""

from __future__ import annotations

from mindspore import Tensor, nn, ops

from focus_detr.models.box_math import BoxSigmoid, InverseSigmoid
from focus_detr.models.layers import MLP
from focus_detr.ops.products import Linear


class Heads(nn.Cell):
    """Heads by layer.

    Args:
        width: C.
        num_classes: of the logits.
        decoder_layers: how many layers predict.
        shared: one pair serves all decoder layers.
        encoder: the encoder has a pair too.
        epsilon: of the inverse sigmoid.
        first_size: logit of width and height that the first layer's head begins with.
    """

    def __init__(
        self,
        width: int,
        num_classes: int,
        decoder_layers: int,
        *,
        shared: bool = False,
        encoder: bool = True,
        epsilon: float = 1e-3,
        first_size: float = 0.0,
    ) -> None:
        super().__init__()
        own = 1 if shared else decoder_layers
        count = own + (1 if encoder else 0)
        self.class_heads = nn.CellList([Linear(width, num_classes) for _ in range(count)])
        self.box_heads = nn.CellList([MLP(width, width, 4, 3) for _ in range(count)])
        self.place = (0,) * decoder_layers if shared else tuple(range(decoder_layers))
        self.sigmoid, self.inverse_sigmoid = BoxSigmoid(), InverseSigmoid(epsilon)
        self.first_size = first_size

    def classify(self, layer: int, states: Tensor) -> Tensor:
        """Logits of a decoder layer's states: [B, Q, C] -> [B, Q, classes]."""
        return self.class_heads[self.place[layer]](states)

    def boxes(self, layer: int, states: Tensor, references: Tensor) -> Tensor:
        """Boxes of a decoder layer's states.

        Args:
            layer: of the decoder.
            states: [B, Q, C].
            references: [B, Q, 4] boxes that the prediction starts from, or [B, Q, 2] centres: the
                size is then the head's alone.

        Returns:
            [B, Q, 4] cx cy w h in 0..1.
        """
        shift = self.box_heads[self.place[layer]](states)  # [B, Q, 4]
        start = self.inverse_sigmoid(references)
        if references.shape[-1] == 2:
            start = ops.concat((start, ops.zeros_like(start)), axis=-1)  # [B, Q, 4]
        return self.sigmoid(shift + start)

    def encoder_class_head(self) -> nn.Cell:
        """The class head of the encoder."""
        return self.class_heads[-1]

    def encoder_box_head(self) -> nn.Cell:
        """The box head of the encoder; its result is added to the logits of a proposal."""
        return self.box_heads[-1]
