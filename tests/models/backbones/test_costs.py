"""Weights, channels and names of the published backbones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from golden_data import manifest
from mindspore import nn
from model_cases import shapes_only

from focus_detr.config.schema import BackboneConfig, ModelConfig
from focus_detr.models.backbones.costs import backbone_channels, backbone_multiply_adds
from focus_detr.models.factory import build_backbone, build_model
from focus_detr.models.parameter_counts import count_parameters
from focus_detr.weights.convert import backbone_shapes
from focus_detr.weights.naming import is_ignored, to_ours

TINY = BackboneConfig("swin_tiny", freeze_at=0)
BASE_384 = BackboneConfig("swin_base", freeze_at=0, window=12)
LARGE_384 = BackboneConfig("swin_large", freeze_at=0, window=12)
PUBLISHED = [
    (TINY, 27_520_506),
    (replace(TINY, name="swin_small"), 48_838_410),
    (replace(BASE_384, window=7), 86_744_760),
    (BASE_384, 86_880_120),
    (replace(LARGE_384, window=7), 194_997_780),
    (LARGE_384, 195_200_820),
]


def weights(cell: nn.Cell) -> int:
    return sum(parameter.size for parameter in cell.get_parameters())


@pytest.mark.parametrize(
    ("config", "expected"), PUBLISHED, ids=[f"{c.name} {c.window}" for c, _ in PUBLISHED]
)
def test_a_swin_has_as_many_weights_as_published(config: BackboneConfig, expected: int) -> None:
    with shapes_only():
        backbone = build_backbone(config)
    assert weights(backbone) == expected
    assert backbone.channels == backbone_channels(config)
    assert all(parameter.requires_grad for parameter in backbone.get_parameters())


@pytest.mark.parametrize(
    ("config", "model"),
    [
        (BackboneConfig("resnet101"), "r101"),
        (TINY, "swin_tiny"),
        (replace(BASE_384, window=7), "swin_base_224"),
        (BASE_384, "swin_base_384"),
        (LARGE_384, "swin_large_384"),
    ],
)
def test_tensors_are_the_reference_s(config: BackboneConfig, model: str) -> None:
    entries = manifest(model)["state_dict"]
    expected = {
        to_ours(name, 6): tuple(entry["shape"])
        for name, entry in entries.items()
        if name.startswith("backbone.") and not is_ignored(name)
    }
    with shapes_only():
        assert backbone_shapes(config) == expected


@pytest.mark.parametrize(
    ("config", "backbone", "whole"),
    [(BackboneConfig("resnet101"), 42_394_816, 68.28e6), (TINY, 27_520_506, 49_882_954)],
)
def test_whole_detectors(config: BackboneConfig, backbone: int, whole: float) -> None:
    with shapes_only():
        counts = count_parameters(build_model(ModelConfig(backbone=config), 80))
    assert counts.backbone == backbone
    assert counts.total == pytest.approx(whole, abs=0.005e6 if whole == 68.28e6 else 0)


@pytest.mark.parametrize(
    ("freeze_at", "frozen"),
    [
        (0, ()),
        (1, ("patch_embed.",)),
        (2, ("patch_embed.", "layers.0.")),
        (5, ("patch_embed.", "layers.")),
    ],
)
def test_stages_are_frozen_from_the_image_on(freeze_at: int, frozen: tuple[str, ...]) -> None:
    config = BackboneConfig("swin_tiny", 0.125, (1, 1, 1, 1), freeze_at)
    for name, parameter in build_backbone(config).parameters_and_names():
        assert parameter.requires_grad == (not name.startswith(frozen)), name


def test_cells_that_fill_windows_are_multiplied_too() -> None:
    config = BackboneConfig("swin_tiny", 0.25, (1, 1, 1, 1), window=7)
    cells, channels = 4 * 4, 24  # a map of 16 x 16 pixels: one window of 49 cells at each stage
    expected = cells * channels * 48
    for stage in range(4):
        cells, width = (4 >> stage) ** 2 or 1, channels << stage
        expected += 49 * (4 * width**2 + 2 * 49 * width) + cells * 8 * width**2
        if stage < 3:
            expected += ((4 >> stage + 1) ** 2 or 1) * 8 * width**2
    assert backbone_multiply_adds(config, 16, 16) == expected
