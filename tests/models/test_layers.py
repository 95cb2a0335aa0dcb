"""Layers that the whole network shares."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from model_cases import as_map

from focus_detr.models.layers import FeedForward, MaskedGroupNorm, MultiHeadAttention


@pytest.mark.parametrize("masked", [False, True])
def test_group_norm_of_one_image_has_the_gradient_of_many(masked: bool) -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    weights = as_map(rng.normal(size=(1, 4, 3, 5)).astype(np.float32))
    mask = np.ones((2, 1, 3, 5), np.float32)
    mask[:, :, 2:] = 0.0
    norm = MaskedGroupNorm(2, 4)

    def loss(x: Tensor, counted: Tensor) -> Tensor:
        return (norm(x, counted if masked else None) * weights).sum()

    gradient = ms.grad(loss)
    both = gradient(as_map(images), as_map(mask)).asnumpy()
    for index in range(2):
        image, counted = images[index : index + 1], mask[index : index + 1]
        alone = gradient(as_map(image), as_map(counted)).asnumpy()
        np.testing.assert_allclose(alone[0], both[index], atol=1e-6)
        assert np.abs(alone).max() > 0.1


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_alone(dropout: float) -> None:
    rng = np.random.default_rng(0)
    x, bias = Tensor(rng.normal(size=(1, 6, 8)).astype(np.float32)), Tensor(np.zeros((1, 1, 1, 1)))
    bias = bias.astype(ms.float32)
    ffn, attention = FeedForward(8, 32, dropout=dropout), MultiHeadAttention(8, 2, dropout=dropout)
    sure, kept = (ffn.set_train(False)(x), attention.set_train(False)(x, x, bias))
    for cell, arguments, expected in ((ffn, (x,), sure), (attention, (x, x, bias), kept)):
        cell.set_train(True)
        found = [cell(*arguments).asnumpy() for _ in range(2)]
        same = [np.allclose(values, expected.asnumpy(), atol=1e-5) for values in found]
        assert same == [dropout == 0] * 2
        assert np.isfinite(found[0]).all()
        assert np.array_equal(*found) == (dropout == 0)


def test_dropout_of_what_self_attention_adds_leaves_content_or_doubles_the_change() -> None:
    rng = np.random.default_rng(1)
    x = Tensor(rng.normal(size=(1, 40, 8)).astype(np.float32))
    bias = Tensor(np.zeros((1, 1, 1, 1), np.float32))
    attention = MultiHeadAttention(8, 2, output_dropout=0.5)
    added = (attention.set_train(False)(x, x, bias) - x).asnumpy()
    found = (attention.set_train(True)(x, x, bias) - x).asnumpy()
    dropped = found == 0
    assert 0.4 < dropped.mean() < 0.6
    np.testing.assert_allclose(found[~dropped], 2 * added[~dropped], rtol=0, atol=1e-5)
