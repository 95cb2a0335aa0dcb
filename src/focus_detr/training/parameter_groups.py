"""Which parameters are trained, and how fast: the reference's optimiser groups as plain records."""

from __future__ import annotations

from dataclasses import dataclass

import mindspore as ms
from mindspore import nn

from focus_detr.config.schema import OptimizerConfig

_BACKBONE = "backbone."
_NORM_SUFFIXES = (".gamma", ".beta")


@dataclass(frozen=True)
class TrainedParameter:
    """One parameter with its share of the learning rate and its decoupled weight decay."""

    name: str
    parameter: ms.Parameter
    lr_factor: float
    weight_decay: float


def lr_factor(name: str, config: OptimizerConfig) -> float:
    """Share of the learning rate of the parameter called ``name``."""
    return config.backbone_lr_factor if name.startswith(_BACKBONE) else 1.0


def weight_decay(name: str, config: OptimizerConfig) -> float:
    """Weight decay of the parameter called ``name``: norms have their own, biases are decayed."""
    return config.norm_weight_decay if name.endswith(_NORM_SUFFIXES) else config.weight_decay


def trained_parameters(model: nn.Cell, config: OptimizerConfig) -> tuple[TrainedParameter, ...]:
    """Settings for every parameter that has a gradient; frozen ones are left out.

    Args:
        model: the detector; its parameters are named as in its checkpoints.
        config: learning-rate factors and weight decays.
    """
    return tuple(
        TrainedParameter(name, parameter, lr_factor(name, config), weight_decay(name, config))
        for name, parameter in model.parameters_and_names()
        if parameter.requires_grad
    )
