"""Layers that the whole network shares."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from model_cases import as_map

from focus_detr.models.layers import MaskedGroupNorm


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
