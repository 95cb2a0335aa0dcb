"""Native arithmetic on boxes beside its plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor
from products_twins import assert_alike, both, value_and_gradients

from focus_detr.models.box_math import BoxSigmoid, InverseSigmoid
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products_library import find_products


@pytest.fixture(autouse=True)
def library() -> None:
    """Native products are there."""
    try:
        find_products()
    except LibraryError as error:
        pytest.skip(f"no native products here: {error}")


def test_sigmoid() -> None:
    native, plain = both(BoxSigmoid)
    x = (Tensor(np.linspace(-20, 20, 999, dtype=np.float32).reshape(3, 333)),)
    assert_alike(value_and_gradients(native, x, (0,)), value_and_gradients(plain, x, (0,)), 0.1)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_inverse_sigmoid(epsilon: float) -> None:
    native, plain = both(lambda: InverseSigmoid(epsilon))
    draw = np.random.default_rng(0)
    inside = draw.random(500) * 0.98 + 0.01
    outside = [-0.5, -1e-3, 1e-6, 3e-4, 1 - 3e-4, 1 - 1e-6, 1.2]
    x = (Tensor(np.concatenate((inside, outside)).astype(np.float32)[None]),)
    ours, theirs = value_and_gradients(native, x, (0,)), value_and_gradients(plain, x, (0,))
    assert_alike(ours[:1], theirs[:1], 0.5)
    assert_alike(ours[1:], theirs[1:])


def test_extremes() -> None:
    native, _ = both(BoxSigmoid)
    found = native(Tensor(np.array([[-1e4, 0, 1e4, np.nan]], np.float32))).asnumpy()[0]
    np.testing.assert_array_equal(found, np.float32([0, 0.5, 1, np.nan]))
