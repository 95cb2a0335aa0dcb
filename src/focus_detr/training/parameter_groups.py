"""Which parameters are trained, and how fast: the reference's optimiser groups as plain records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
from mindspore import nn

from focus_detr.config.schema import OptimizerConfig, ParameterGroup
from focus_detr.errors import FocusDetrError

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
    for group in _groups_of(name, config):
        if group.lr_factor is not None:
            return group.lr_factor
    return config.backbone_lr_factor if name.startswith(_BACKBONE) else 1.0


def own_learning_rates(lr: float, config: OptimizerConfig) -> dict[str, float]:
    """The rates of parameters that do not follow ``lr`` itself, by name or pattern."""
    rates = {_BACKBONE.removesuffix("."): lr * config.backbone_lr_factor}
    for group in config.groups:
        if group.lr_factor is not None:
            rates.setdefault(group.pattern, lr * group.lr_factor)
    return rates


def weight_decay(name: str, config: OptimizerConfig) -> float:
    """Weight decay of the parameter called ``name``: norms have their own, biases are decayed."""
    for group in _groups_of(name, config):
        if group.weight_decay is not None:
            return group.weight_decay
    return config.norm_weight_decay if name.endswith(_NORM_SUFFIXES) else config.weight_decay


def _groups_of(name: str, config: OptimizerConfig) -> list[ParameterGroup]:
    return [group for group in config.groups if re.search(group.pattern, name)]


def trained_parameters(model: nn.Cell, config: OptimizerConfig) -> tuple[TrainedParameter, ...]:
    """Settings for every parameter that has a gradient; frozen ones are left out.

    Args:
        model: the detector; its parameters are named as in its checkpoints.
        config: learning-rate factors, weight decays and what to freeze.

    Raises:
        FocusDetrError: a pattern finds no parameter, or everything is frozen.
    """
    names = [name for name, _ in model.parameters_and_names()]
    for key, patterns in (
        ("groups", [group.pattern for group in config.groups]),
        ("freeze", config.freeze),
    ):
        _refuse_idle(f"train.optimizer.{key}", patterns, names)
    trained = tuple(
        TrainedParameter(name, parameter, lr_factor(name, config), weight_decay(name, config))
        for name, parameter in model.parameters_and_names()
        if parameter.requires_grad and not any(re.search(p, name) for p in config.freeze)
    )
    if not trained:
        raise FocusDetrError("train.optimizer.freeze leaves no parameter to train")
    return trained


def _refuse_idle(key: str, patterns: Sequence[str], names: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(re.search(pattern, name) for name in names):
            raise FocusDetrError(
                f"{key}: no parameter's name contains {pattern!r}; names look like "
                f"{', '.join(names[:: max(1, len(names) // 4)][:4])}"
            )
