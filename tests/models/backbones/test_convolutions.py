"""The plain list of convolutions against the backbones themselves."""

from __future__ import annotations

import pytest
from model_cases import shapes_only

from focus_detr.config.schema import BackboneConfig
from focus_detr.models.backbones.convolutions import (
    Convolution,
    backbone_convolutions,
    convolutional_channels,
)
from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.factory import build_backbone

CONFIGS = (
    BackboneConfig(name="resnet18"),
    BackboneConfig(width_factor=0.25),
    BackboneConfig(width_factor=0.125, depths=(1, 2, 1, 1)),
    BackboneConfig(name="resnet34", width_factor=0.25),
    BackboneConfig(name="resnet101", width_factor=0.125),
    BackboneConfig(name="resnet152", width_factor=0.125),
    BackboneConfig(name="efficientnet_lite0"),
)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_kernels_are_those_of_the_cell(config: BackboneConfig) -> None:
    with shapes_only():
        backbone = build_backbone(config)
    built = [cell for _, cell in backbone.cells_and_names() if isinstance(cell, FrozenConv)]
    shapes = sorted(tuple(cell.weight.shape) for cell in built)
    listed = backbone_convolutions(config)
    assert shapes == sorted((c.outputs, c.inputs // c.groups, c.kernel, c.kernel) for c in listed)
    assert sum(c.weights for c in listed) == sum(cell.weight.size for cell in built)
    assert convolutional_channels(config) == backbone.channels


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_strides_never_fall_and_end_at_32(config: BackboneConfig) -> None:
    strides = [convolution.stride for convolution in backbone_convolutions(config)]
    assert strides == sorted(strides)
    assert (strides[0], strides[-1]) == (2, 32)


def test_maps_round_up() -> None:
    assert Convolution(3, 4, 1, stride=8).multiply_adds(17, 8) == 3 * 4 * 3 * 1
    assert Convolution(4, 4, 3, stride=1, groups=4).multiply_adds(2, 5) == 4 * 9 * 10
