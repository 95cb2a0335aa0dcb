"""Names, weights and order of the loss's parts."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from focus_detr.losses.loss_parts import (
    LossWeights,
    encoder_heads,
    in_named_order,
    layer_heads,
    part_names,
)


def test_heads_are_listed_with_the_last_layer_first() -> None:
    assert layer_heads(3) == ("", "_0", "_1")
    assert layer_heads(1, "_dn") == ("_dn",)
    assert layer_heads(3, "_many", first=1) == ("_many", "_many_1")
    assert encoder_heads(True, 2) == ("_enc", "_enc_0", "_enc_1")
    assert encoder_heads(False, 0) == ()
    assert part_names(("", "_enc"))[:3] == ("loss_bbox", "loss_bbox_enc", "loss_class")


def test_weights_are_of_l1_class_and_giou() -> None:
    weights = LossWeights(box=5.0, giou=2.0)
    assert weights.of(0.5) == (5.0, 0.5, 2.0)
    assert weights.of(0.5, share=0.1) == (0.5, 0.05, 0.2)


class _Ordered(nn.Cell):
    def construct(self, decoder: Tensor, encoder: Tensor, count: Tensor) -> Tensor:
        streams = ((decoder[0], decoder[1], decoder[2]),)
        others = ((encoder[0], encoder[1], encoder[2]),)
        return in_named_order(streams, others, ((1.0, 10.0, 100.0), (2.0, 20.0, 200.0)), count)


def test_values_follow_the_names() -> None:
    """Kind by kind; of three layers the last one first; the encoder's at the end."""
    decoder = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    encoder = np.ones((3, 1), np.float32)
    ours = _Ordered()(Tensor(decoder), Tensor(encoder), Tensor(2.0, ms.float32)).asnumpy()
    expected = [3, 1, 2, 2, 60, 40, 50, 20, 900, 700, 800, 200]
    np.testing.assert_allclose(ours, np.array(expected) / 2.0)
