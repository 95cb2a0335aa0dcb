"""Settings are read off the tensors of networks that the factory builds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focus_detr.config.schema import (
    BackboneConfig,
    DecoderConfig,
    EncoderConfig,
    ForegroundSelectorConfig,
    ModelConfig,
    PositionConfig,
)
from focus_detr.errors import FocusDetrError
from focus_detr.weights.convert import backbone_shapes, model_shapes
from focus_detr.weights.model_settings import RECIPES, infer_backbone, infer_model

SMALL = ModelConfig(
    num_classes=5,
    width=32,
    backbone=BackboneConfig("resnet18", width_factor=0.25),
    position=PositionConfig(20.0, 0.0),
    encoder=EncoderConfig(layers=6, ffn_width=48, points=2),
    decoder=DecoderConfig(layers=3, ffn_width=40, points=2, queries=17),
)


def _tensors(model: ModelConfig) -> dict[str, np.ndarray]:
    return {
        name: np.broadcast_to(np.float32(0), shape) for name, shape in model_shapes(model).items()
    }


@pytest.mark.parametrize(
    "model",
    [
        SMALL,
        replace(
            SMALL,
            foreground_selector=ForegroundSelectorConfig(enabled=False),
            encoder=replace(SMALL.encoder, value="memory"),  # as all dense ones that are published
        ),
        replace(SMALL, encoder=replace(SMALL.encoder, dual_attention=False)),
    ],
    ids=["small", "no selector", "no dual attention"],
)
def test_settings_of_a_built_network_are_found(model: ModelConfig) -> None:
    assert infer_model(_tensors(model), model.position) == model


@pytest.mark.parametrize(
    "backbone",
    [
        BackboneConfig("resnet50", depths=(1, 1, 1, 1), width_factor=0.125),
        BackboneConfig("resnet18", depths=(1, 2, 1, 1), width_factor=0.5),
        BackboneConfig("resnet101", width_factor=0.125),
        BackboneConfig("resnet34", width_factor=0.125),
        BackboneConfig("resnet152", width_factor=0.125),
        BackboneConfig("swin_tiny", width_factor=0.25, freeze_at=0, window=4),
        BackboneConfig("swin_small", width_factor=0.25, freeze_at=0),
        BackboneConfig("swin_large", width_factor=0.125, freeze_at=0, window=12),
        BackboneConfig("swin_base", width_factor=0.25, depths=(1, 1, 1, 1), freeze_at=0),
    ],
    ids=lambda config: config.name,
)
def test_small_backbones_are_recognised(backbone: BackboneConfig) -> None:
    shapes = backbone_shapes(backbone)
    tensors = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    assert infer_backbone(tensors) == backbone


def test_absent_tensors_leave_the_published_settings() -> None:
    backbone = {name: np.zeros(1) for name in backbone_shapes(BackboneConfig("resnet18"))}
    found = infer_model({**backbone, "label_embed": np.zeros((80, 4))}, PositionConfig())
    assert found.decoder.queries == 900
    assert found.encoder.points == 4
    assert found.num_classes == 80


def test_other_backbones_are_refused() -> None:
    with pytest.raises(FocusDetrError, match="no ResNet, Swin Transformer or EfficientNet-Lite0"):
        infer_backbone({"backbone.patch_embed.proj.weight": np.zeros(1)})


def test_recipes_have_the_released_position_embeddings() -> None:
    assert RECIPES["r50_12ep"] == PositionConfig(10000.0, -0.5)
    assert {RECIPES[name] for name in RECIPES if name.startswith("swin")} == {PositionConfig()}
    assert RECIPES["r50_36ep"] == RECIPES["r101_24ep"] == PositionConfig(20.0, 0.0)
