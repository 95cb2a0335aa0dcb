"""Detection with factors rounded to bfloat16 differs a little, and only where it is asked for."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from products_twins import Convolved, numbers

from focus_detr.config.schema import BackboneConfig, DecoderConfig, EncoderConfig, ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.models import detection_precision
from focus_detr.models.detection_precision import detect_in_bfloat16
from focus_detr.models.factory import build_detector, build_model
from focus_detr.ops.native_library import LibraryError
from focus_detr.ops.products import Dense, Linear
from focus_detr.ops.products_choice import plain_products
from focus_detr.ops.products_library import has_bfloat16

TINY = ModelConfig(
    backbone=BackboneConfig(name="resnet18", width_factor=0.25, depths=(1, 1, 1, 1)),
    width=32,
    heads=4,
    encoder=EncoderConfig(layers=2, cascade=(1.0, 0.5), ffn_width=32, object_tokens=10),
    decoder=DecoderConfig(layers=1, queries=20, ffn_width=32),
)


@pytest.fixture
def bfloat16() -> None:
    """A processor that has it, and the library."""
    try:
        there = has_bfloat16()
    except LibraryError as error:
        pytest.skip(f"no native products here: {error}")
    if not there:
        pytest.skip("no instructions for bfloat16 here")


def rounded(values: np.ndarray) -> np.ndarray:
    """To the nearest bfloat16, ties to even."""
    return Tensor(values).astype(ms.bfloat16).astype(ms.float32).asnumpy()


@pytest.mark.large(together=4)  # tests of other files limit oneDNN for good
@pytest.mark.usefixtures("bfloat16")
def test_factors_are_rounded_and_sums_are_not() -> None:
    layer = Dense(96, 40).set_train(False)
    layer.weight.set_data(Tensor(numbers(40, 96, seed=1)))
    x = numbers(70, 96)
    exact = layer(Tensor(x)).asnumpy()
    layer = Dense(96, 40).set_train(False)
    layer.weight.set_data(Tensor(numbers(40, 96, seed=1)))
    bias = layer.bias.asnumpy()
    layer.round_factors()
    found = layer(Tensor(x)).asnumpy()
    expected = rounded(x) @ rounded(layer.weight.asnumpy()).T + bias
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.abs(found - exact).max() > 1e-3


@pytest.mark.large(together=4)  # tests of other files limit oneDNN for good
@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolutions_likewise(kernel: int) -> None:
    settings = {"stride": 1, "padding": (kernel // 2,) * 4, "activation": "relu"}
    x, weight = numbers(1, 9, 11, 16), numbers(8, 16, kernel, kernel, seed=1)
    results = []
    for rounds, source, kernels in ((True, x, weight), (False, rounded(x), rounded(weight))):
        cell = Convolved((8, 16, kernel, kernel), **settings).set_train(False)
        cell.kernel.set_data(Tensor(kernels))
        if rounds:
            cell.convolve.round_factors()
        results.append(cell(Tensor(source)).asnumpy())
    np.testing.assert_allclose(results[0], results[1], atol=5e-5)


def test_layers_that_stay_float32() -> None:
    layer = Linear(8, 8)
    layer.round_factors()
    x = numbers(3, 8)
    expected = x @ layer.weight.asnumpy().T + layer.bias.asnumpy()
    np.testing.assert_allclose(layer(Tensor(x)).asnumpy(), expected, atol=1e-6)


def outputs(detector: nn.Cell) -> list[np.ndarray]:
    """Of one image."""
    images, sizes = Tensor(numbers(1, 3, 64, 96)), Tensor([[64, 96]], ms.int32)
    return [output.asnumpy() for output in detector(images, sizes)]


@pytest.mark.large(together=4)  # tests of other files limit oneDNN for good
@pytest.mark.usefixtures("bfloat16")
def test_a_detector_in_bfloat16_finds_almost_the_same() -> None:
    exact = outputs(build_detector(TINY, 3))
    detector = build_detector(TINY, 3)
    detect_in_bfloat16(detector.model)
    found = outputs(detector)
    assert np.abs(found[0] - exact[0]).max() < 0.01  # scores
    assert (found[0] != exact[0]).any()


def test_what_cannot_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_products():
        model = build_model(TINY, 3)
        with pytest.raises(FocusDetrError, match="needs native products"):
            detect_in_bfloat16(model)
    monkeypatch.setattr(detection_precision, "native_products", lambda: "library")
    monkeypatch.setattr(detection_precision, "has_bfloat16", lambda: False)
    with pytest.raises(FocusDetrError, match="no instructions for products in bf16"):
        detect_in_bfloat16(model)
