"""Native operators of Swin's blocks give the numbers and gradients of their plain twins."""

from __future__ import annotations

import ctypes
import math

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from products_twins import assert_alike, both, numbers, value_and_gradients

from focus_detr.models.backbones.stochastic_depth import AddBranch
from focus_detr.models.backbones.swin import SwinBlock
from focus_detr.models.backbones.window_attention import WindowAttention
from focus_detr.ops import products_choice, products_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products import Dense


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native products are there and chosen."""
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "auto")
    try:
        products_library.find_products()
    except LibraryError as error:
        pytest.skip(f"no native products here: {error}")


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (3, 2)])
def test_window_attention(size: tuple[int, int], shift: int) -> None:
    native, plain = both(lambda: WindowAttention(24, 3, window=4, shift=shift))
    x = Tensor(numbers(2, *size, 24))
    extents = Tensor([size, size], ms.float32)
    ours = value_and_gradients(native, (x, extents, None), (0,))
    assert_alike(ours, value_and_gradients(plain, (x, extents, None), (0,)), 5)


@pytest.mark.parametrize("shift", [0, 2])
def test_window_attention_of_images_smaller_than_the_map(shift: int) -> None:
    native, plain = both(lambda: WindowAttention(24, 3, window=4, shift=shift))
    extents, inside = np.array([[5, 10], [9, 3]], np.float32), np.zeros((2, 9, 10, 1), np.float32)
    for image, (rows, columns) in enumerate(extents.astype(int)):
        inside[image, :rows, :columns] = 1
    # beyond the images both give the bias of the projection alone
    inputs = Tensor(numbers(2, 9, 10, 24)), Tensor(extents), Tensor(inside)
    assert_alike(
        value_and_gradients(native, inputs, (0,)), value_and_gradients(plain, inputs, (0,)), 5
    )


def test_a_sum_with_a_factor_for_each_image() -> None:
    native, plain = both(AddBranch)
    factor = Tensor(np.array([0.0, 1.25, 1.0], np.float32))
    inputs = Tensor(numbers(3, 40, 50, 8)), Tensor(numbers(3, 40, 50, 8, seed=2)), factor
    ours = value_and_gradients(native, inputs, (0, 1))
    assert_alike(ours, value_and_gradients(plain, inputs, (0, 1)))


@pytest.mark.parametrize("factors", [None, (1.0, 0.0, 1.25), (0.0, 0.0, 0.0)])
def test_a_block_with_branches_that_are_left_out(factors: tuple[float, ...] | None) -> None:
    native, plain = both(lambda: SwinBlock(24, 3, window=4, shift=2))
    # 3600 rows: the perceptron takes two strips, of which one begins within an image
    x, extents = Tensor(numbers(3, 30, 40, 24)), Tensor([[30, 40]] * 3, ms.float32)
    given = () if factors is None else (Tensor(np.array(factors, np.float32)),) * 2
    inputs = (x, extents, None, *given)
    ours = value_and_gradients(native, inputs, (0,))
    assert_alike(ours, value_and_gradients(plain, inputs, (0,)), 5)


@pytest.mark.parametrize(("batch", "rows"), [(0, 5), (2, 0)])
def test_the_perceptron_of_no_rows_has_zero_gradients(batch: int, rows: int) -> None:
    library = ctypes.CDLL(str(products_library.find_products()))
    sizes = (ctypes.c_int64 * 4)(batch, rows, 8, 32)
    shapes = {"gamma": 8, "beta": 8, "first": 256, "first_bias": 32, "second": 256, "bias": 8}
    gradients = {name: np.full(size, np.nan, np.float32) for name, size in shapes.items()}
    given, written = [None] * 8, [array.ctypes.data for array in gradients.values()]
    pointers = map(ctypes.c_void_p, (*given, None, *written))
    assert library.products_perceptron_branch_grad(sizes, ctypes.c_float(1e-5), *pointers) == 0
    assert all((gradient == 0).all() for gradient in gradients.values())


def test_gelu_and_its_gradient_are_exact_far_out_too() -> None:
    cell = Dense(1, 1, activation="gelu").set_train()
    cell.weight.set_data(Tensor(np.ones((1, 1), np.float32)))
    cell.bias.set_data(Tensor(np.zeros(1, np.float32)))
    x = np.linspace(-20, 20, 4001, dtype=np.float32)[:, None]
    exact = x.astype(np.float64)
    distribution = 0.5 * np.vectorize(math.erfc)(-exact / math.sqrt(2))
    density = np.exp(-0.5 * exact**2) / math.sqrt(2 * math.pi)
    tolerance = 2e-7 * np.maximum(1, np.abs(exact))
    assert (np.abs(cell(Tensor(x)).asnumpy() - exact * distribution) <= tolerance).all()
    gradient = ms.grad(cell, 0)(Tensor(x)).asnumpy()
    assert (np.abs(gradient - distribution - exact * density) <= 3 * tolerance).all()
