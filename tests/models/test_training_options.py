"""Half precision and recomputation of a small network's training step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from model_cases import SMALL_CLASSES, scatter_weights, small_config

from focus_detr.config.schema import (
    BackboneConfig,
    Config,
    DenoisingConfig,
    ForegroundSelectorConfig,
    TrainConfig,
)
from focus_detr.errors import FocusDetrError
from focus_detr.losses.factory import build_training_loss
from focus_detr.ops.products import Dense, ProductCell
from focus_detr.ops.products_choice import plain_products

TARGETS = 4
SMALL = small_config(
    backbone=BackboneConfig("resnet18", width_factor=0.125, depths=(1, 1, 1, 1)),
    foreground_selector=ForegroundSelectorConfig(enabled=False),
)
MODEL = replace(
    SMALL,
    encoder=replace(SMALL.encoder, layers=1, cascade=(1.0,)),
    decoder=replace(SMALL.decoder, layers=1),
)


def _inputs() -> tuple[Tensor, ...]:
    rng = np.random.default_rng(0)
    arrays = (
        # of 64x96 the last level has two tokens, whose norm turns a rounding into a tenth
        rng.normal(size=(2, 3, 128, 192)).astype(np.float32),
        np.array([[128, 192], [114, 186]], np.int32),
        rng.uniform(0.2, 0.6, (2, TARGETS, 4)).astype(np.float32),
        rng.integers(0, SMALL_CLASSES, (2, TARGETS)).astype(np.int32),
        (np.arange(TARGETS)[None] < np.array([[3], [2]])).astype(np.float32),
    )
    return tuple(map(Tensor, arrays))


def _gradients(**options: Any) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of a network of scattered weights."""
    train, denoising = TrainConfig(**options), DenoisingConfig(number=0)
    config = Config(model=MODEL, denoising=denoising, train=train)
    loss = build_training_loss(config, SMALL_CLASSES)
    scatter_weights(loss.model)
    weights = loss.model.trainable_params()
    (total, _), gradients = ops.value_and_grad(loss, None, weights, has_aux=True)(*_inputs())
    return float(total), dict(zip((w.name for w in weights), gradients, strict=True))


@pytest.fixture(scope="module")
def plain() -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients with the published settings."""
    return _gradients()


def _joined(gradients: dict[str, Tensor]) -> np.ndarray:
    return np.concatenate([gradient.asnumpy().ravel() for gradient in gradients.values()])


def test_recomputation_changes_nothing(plain: tuple[float, dict[str, Tensor]]) -> None:
    total, found = _gradients(recompute=("backbone", "encoder", "decoder"))
    assert total == plain[0]
    expected = _joined(plain[1])
    np.testing.assert_allclose(_joined(found), expected, atol=1e-6 * np.abs(expected).max())


def test_half_precision_stays_close_and_its_gradients_are_float32(
    plain: tuple[float, dict[str, Tensor]],
) -> None:
    total, found = _gradients(precision="fp16")
    assert total != plain[0]
    assert total == pytest.approx(plain[0], rel=0.02)
    assert {gradient.dtype for gradient in found.values()} == {ms.float32}
    full, half = _joined(plain[1]), _joined(found)
    assert full @ half / np.linalg.norm(full) / np.linalg.norm(half) > 0.98


def test_only_training_is_of_lower_precision() -> None:
    with plain_products():  # as trainings of lower precision are built
        layer = Dense(8, 4)
    layer.set_product_type(ms.float16)
    x = Tensor(np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32))
    plain = nn.Dense(8, 4)
    for ours, theirs in zip(layer.get_parameters(), plain.get_parameters(), strict=True):
        assert ours.name == theirs.name
        theirs.set_data(Tensor(ours.asnumpy()))
    assert layer.set_train(True)(x).dtype == ms.float16
    evaluated = layer.set_train(False)(x)
    np.testing.assert_array_equal(evaluated.asnumpy(), plain(x).asnumpy())


def test_heads_and_boxes_stay_in_full_precision() -> None:
    config = Config(model=small_config(), train=TrainConfig(precision="fp16"))
    model = build_training_loss(config, SMALL_CLASSES).model
    lowered = [
        name
        for name, cell in model.cells_and_names()
        if isinstance(cell, ProductCell) and cell.product_type == ms.float16
    ]
    assert {name.split(".")[0] for name in lowered} == {"backbone", "encoder", "decoder"}
    assert "decoder.layers.0.self_attention" in lowered
    assert "encoder.layers.1.ffn.linear1" in lowered
    assert not any("reference_head" in name for name in lowered)


def test_bfloat16_is_refused_on_a_cpu() -> None:
    config = Config(model=small_config(), train=TrainConfig(precision="bf16"))
    with pytest.raises(FocusDetrError, match="bf16"):
        build_training_loss(config, SMALL_CLASSES)
