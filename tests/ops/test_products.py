"""Native products give the numbers and gradients of MindSpore's own operators."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor, nn
from products_twins import (
    Convolved,
    OnMaps,
    assert_alike,
    both,
    numbers,
    value_and_gradients,
)

from focus_detr.doctor.devices import products_problem
from focus_detr.errors import FocusDetrError
from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.models.layers import MaskedGroupNorm, MultiHeadAttention
from focus_detr.models.maps import MaxPool
from focus_detr.ops import products_choice, products_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products import Dense, WeighRows
from focus_detr.ops.products_choice import native_products, plain_products


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native products are there and chosen."""
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "auto")
    try:
        products_library.find_products()
    except LibraryError as error:
        pytest.skip(f"no native products here: {error}")


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 5), (700, 5)])
def test_dense(activation: str, shape: tuple[int, ...]) -> None:
    native, plain = both(lambda: Dense(5, 7, activation=activation))
    x = (Tensor(numbers(*shape)),)
    assert_alike(value_and_gradients(native, x, (0,)), value_and_gradients(plain, x, (0,)))


def test_dense_with_a_residual() -> None:
    native, plain = both(lambda: Dense(64, 32))
    x = Tensor(numbers(2, 90, 64)), Tensor(numbers(2, 90, 32, seed=3))
    assert_alike(value_and_gradients(native, x, (0, 1)), value_and_gradients(plain, x, (0, 1)), 3)


class OfValid(nn.Cell):
    """A dense layer's rows that are valid."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = Dense(64, 32)

    def construct(self, x: Tensor, valid: Tensor) -> Tensor:
        return self.dense.of_valid(x, valid)


def validity(*shape: int) -> np.ndarray:
    """Ones and zeros, float32."""
    return (np.random.default_rng(7).random(shape) < 0.6).astype(np.float32)


def test_dense_of_valid_rows() -> None:
    native, plain = both(OfValid)
    valid = validity(2, 90)
    x = Tensor(numbers(2, 90, 64)), Tensor(valid)
    ours, theirs = value_and_gradients(native, x, (0,)), value_and_gradients(plain, x, (0,))
    assert_alike(ours, theirs, 3)
    assert not ours[0][valid == 0].any()
    assert not ours[1][valid == 0].any()


@pytest.mark.parametrize("rows", [(1, 3), (2, 700)])
def test_rows_times_a_number(rows: tuple[int, int]) -> None:
    native, plain = both(WeighRows)
    x = Tensor(numbers(*rows, 48)), Tensor(numbers(*rows, 1, seed=2))
    assert_alike(value_and_gradients(native, x, (0, 1)), value_and_gradients(plain, x, (0, 1)))


def test_dense_of_no_rows() -> None:
    native, _ = both(lambda: Dense(5, 7))
    assert native(Tensor(numbers(0, 5))).shape == (0, 7)


CASES = {
    "1x1": ((6, 4, 1, 1), {"stride": 1, "padding": (0, 0, 0, 0)}),
    "3x3, stride 2": ((16, 4, 3, 3), {"stride": 2, "padding": (1, 1, 1, 1)}),
    "7x7": ((8, 4, 7, 7), {"stride": 2, "padding": (3, 3, 3, 3)}),
    "depthwise, uneven": ((4, 1, 5, 5), {"stride": 2, "padding": (1, 2, 1, 2), "groups": 4}),
    "groups": ((8, 2, 3, 3), {"stride": 1, "padding": (1, 1, 1, 1), "groups": 2}),
}


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
@pytest.mark.parametrize("case", CASES)
def test_convolution(case: str, activation: str) -> None:
    shape, settings = CASES[case]
    native, plain = both(lambda: Convolved(shape, **settings, activation=activation))
    x = (Tensor(numbers(2, 4, 9, 11)),)
    ours = value_and_gradients(OnMaps(native, True), x, (0,))
    assert_alike(ours, value_and_gradients(OnMaps(plain, False), x, (0,)))


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_convolution_with_a_residual(activation: str) -> None:
    shape, settings = CASES["3x3, stride 2"]
    native, plain = both(lambda: Convolved(shape, **settings, activation=activation))
    x = Tensor(numbers(1, 4, 9, 11)), Tensor(numbers(1, 16, 5, 6, seed=4))
    ours = value_and_gradients(OnMaps(native, True), x, (0, 1))
    assert_alike(ours, value_and_gradients(OnMaps(plain, False), x, (0, 1)))


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_convolution_of_valid_cells(activation: str) -> None:
    shape, settings = CASES["3x3, stride 2"]

    class OfValidCells(Convolved):
        def construct(self, x: Tensor, valid: Tensor) -> Tensor:
            return self.convolve(x, self.kernel, self.bias, valid=valid)

    native, plain = both(lambda: OfValidCells(shape, **settings, activation=activation))
    valid = validity(2, 1, 5, 6)
    x = Tensor(numbers(2, 4, 9, 11)), Tensor(valid)
    ours = value_and_gradients(OnMaps(native, True), x, (0,))
    assert_alike(ours, value_and_gradients(OnMaps(plain, False), x, (0,)))
    assert not ours[0][np.broadcast_to(valid, (2, 16, 5, 6)) == 0].any()


def test_a_frozen_norm_in_the_weights() -> None:
    class Frozen(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.layer = FrozenConv(4, 6, 3, activation="relu")

        def construct(self, x: Tensor) -> Tensor:
            return self.layer(x)

    native, plain = both(Frozen)
    for cell in (native, plain):
        variance = cell.layer.norm.running_var
        variance.set_data(Tensor(np.abs(variance.asnumpy()) + 0.1))
    x = (Tensor(numbers(2, 4, 9, 11)),)
    ours = value_and_gradients(OnMaps(native, True), x, (0,))
    assert_alike(ours, value_and_gradients(OnMaps(plain, False), x, (0,)), 3)


@pytest.mark.parametrize("rows", [1, 200])
def test_layer_norm(rows: int) -> None:
    native, plain = both(lambda: LayerNorm(48))
    x = (Tensor(numbers(2, rows, 48) * 3 + 1),)
    assert_alike(value_and_gradients(native, x, (0,)), value_and_gradients(plain, x, (0,)), 5)


@pytest.mark.parametrize("masked", [False, True])
def test_group_norm(masked: bool) -> None:
    native, plain = both(lambda: MaskedGroupNorm(4, 16))
    mask = np.ones((2, 1, 9, 11), np.float32)
    mask[0, :, 6:] = 0
    x = Tensor(numbers(2, 16, 9, 11)), *((Tensor(mask),) if masked else ())

    class Normed(OnMaps):
        def construct(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            if not self.last:
                return self.cell(x, mask)
            moved = None if mask is None else mask.transpose(0, 2, 3, 1)
            return self.cell(x.transpose(0, 2, 3, 1), moved).transpose(0, 3, 1, 2)

    ours = value_and_gradients(Normed(native, True), x, (0,))
    assert_alike(ours, value_and_gradients(Normed(plain, False), x, (0,)), 5)


def test_max_pool() -> None:
    native, plain = both(lambda: MaxPool(3, 2, 1))
    x = (Tensor(numbers(2, 5, 9, 12)),)
    ours = value_and_gradients(OnMaps(native, True), x, (0,))
    assert_alike(ours, value_and_gradients(OnMaps(plain, False), x, (0,)))


@pytest.mark.parametrize("bias_shape", [(1, 1, 1, 1), (2, 1, 1, 70), (1, 1, 70, 70)])
def test_attention(bias_shape: tuple[int, ...]) -> None:
    native, plain = both(lambda: MultiHeadAttention(32, 4))
    hidden = np.random.default_rng(2).random(bias_shape) < 0.3
    bias = Tensor(np.where(hidden, -1e9, 0.0).astype(np.float32))
    x = Tensor(numbers(2, 70, 32)), Tensor(numbers(2, 70, 32, seed=5)), bias
    assert_alike(value_and_gradients(native, x, (0, 1)), value_and_gradients(plain, x, (0, 1)), 5)


def test_not_a_number_is_not_hidden() -> None:
    x = numbers(4, 16)
    x[1, 3] = np.nan
    for build in (lambda: Dense(16, 8), lambda: LayerNorm(16)):
        native, _ = both(build)
        out = native(Tensor(x)).asnumpy()
        assert np.isnan(out[1]).all()
        assert np.isfinite(out[[0, 2, 3]]).all()


def test_a_changed_weight_is_seen() -> None:
    native, plain = both(lambda: Convolved((16, 4, 3, 3), stride=1, padding=(1, 1, 1, 1)))
    first, second = OnMaps(native, True), OnMaps(plain, False)
    x = Tensor(numbers(1, 4, 9, 11))
    first(x)
    for cell in (native, plain):
        cell.kernel.set_data(Tensor(numbers(16, 4, 3, 3, seed=9)))
    assert_alike([first(x).asnumpy()], [second(x).asnumpy()])


def test_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert native_products() is not None
    with plain_products():
        assert native_products() is None
        assert not Dense(3, 4).native
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "plain")
    assert native_products() is None
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "some")
    with pytest.raises(FocusDetrError, match="expected one of auto, native, plain"):
        native_products()


def test_without_the_library_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(products_library.LIBRARY_VARIABLE, "/none/lib.so")
    monkeypatch.setattr(products_choice, "slows_convolutions", lambda: False)
    monkeypatch.setattr(products_choice, "_told", set())
    for _ in range(2):
        assert native_products() is None
    (record,) = caplog.records
    assert "/none/lib.so, which is not there (docs/products.md;" in record.getMessage()
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "native")
    with pytest.raises(FocusDetrError, match="is native, but FOCUS_DETR_PRODUCTS_LIBRARY names"):
        native_products()


def test_processors_that_they_never_ran_on_get_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products_choice.platform, "machine", lambda: "aarch64")
    assert native_products() is None
    monkeypatch.setenv(products_choice.CHOICE_VARIABLE, "native")
    assert native_products() is not None


@pytest.mark.parametrize("slow", [False, True])
def test_a_plain_network_after_a_native_one_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, slow: bool
) -> None:
    monkeypatch.setattr(products_choice, "_told", set())
    monkeypatch.setattr(products_choice, "slows_convolutions", lambda: slow)
    with plain_products():
        assert native_products() is None
    assert ("may be slow" in caplog.text) == slow


def test_threads_may_share_a_primitive() -> None:
    program = Path(__file__).resolve().parents[1] / "products_in_threads.py"
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_doctor_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert products_problem() is None
    monkeypatch.setenv(products_library.LIBRARY_VARIABLE, "/none/lib.so")
    assert str(products_problem()).startswith("FOCUS_DETR_PRODUCTS_LIBRARY names /none/lib.so,")


DIGEST = """
import hashlib, numpy as np, mindspore as ms
import focus_detr
from mindspore import Tensor
from focus_detr.models.backbones.swin import SwinBlock
from focus_detr.models.backbones.window_attention import WindowAttention
from focus_detr.models.layers import MultiHeadAttention
from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.layer_norm import LayerNorm
from focus_detr.ops.products import Dense
ms.set_device("CPU")
rng = np.random.default_rng(0)
make = lambda *shape: Tensor(rng.normal(size=shape).astype(np.float32))
cells = Dense(64, 128, activation="gelu"), LayerNorm(64), MultiHeadAttention(64, 4)
cells += WindowAttention(64, 4, window=7, shift=3), SwinBlock(64, 4, window=7, shift=0)
for cell in cells:
    assert getattr(cell, "native")
    for parameter in cell.get_parameters():
        parameter.set_data(make(*parameter.shape))
x, bias = make(2, 300, 64), Tensor(np.zeros((1, 1, 1, 300), np.float32))
out = [cells[0](x), cells[1](x), cells[2](x, x, bias)]
grid, extents = x.reshape(2, 15, 20, 64), Tensor(np.full((2, 2), 13, np.float32))
for cell in cells[3:]:
    out.append(cell.set_train()(grid, extents, None))
    out.append(ms.grad(cell, 0)(grid, extents, None))
print([float(np.abs(o.asnumpy()).astype(np.float64).sum()) for o in out])
"""


def digest(**variables: str) -> list[float]:
    """Sums of results in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env=os.environ | {"FOCUS_DETR_PRODUCTS": "native"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [float(number) for number in done.stdout.strip().strip("[]").split(",")]


@pytest.mark.parametrize(
    "variables",
    [
        {"FOCUS_DETR_PRODUCTS_VARIANT": "baseline"},
        {"OMP_NUM_THREADS": "7"},
        {"ONEDNN_MAX_CPU_ISA": "SSE41", "FOCUS_DETR_PRODUCTS_VARIANT": "baseline"},
    ],
    ids=["plain loops", "more threads than cores", "an old processor"],
)
def test_every_machine_gets_the_same_numbers(variables: dict[str, str]) -> None:
    np.testing.assert_allclose(digest(**variables), digest(OMP_NUM_THREADS="1"), rtol=1e-5)
