"""A norm that was folded into its convolution computes the same."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from model_cases import as_map

from focus_detr.models.backbones.frozen_conv import FrozenConv, fold_norms

RNG = np.random.default_rng(0)


def drawn_conv() -> FrozenConv:
    conv = FrozenConv(3, 4, 3, stride=2)
    for parameter in conv.get_parameters():
        drawn = RNG.uniform(0.2, 2, parameter.shape).astype(np.float32)
        parameter.set_data(Tensor(drawn))
    return conv


def test_a_folded_norm_gives_the_same_map_however_often() -> None:
    conv = drawn_conv()
    network = nn.SequentialCell(conv)
    x = as_map(RNG.normal(size=(2, 3, 9, 12)).astype(np.float32))
    expected = conv(x).asnumpy()
    kernel = conv.weight.asnumpy()
    for _ in range(2):
        fold_norms(network)
    assert np.abs(conv.weight.asnumpy() / kernel - 1).min() > 1e-3
    np.testing.assert_allclose(network(x).asnumpy(), expected, rtol=1e-5, atol=1e-5)
