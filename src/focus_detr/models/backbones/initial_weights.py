"""Initial weights of backbones that start without ImageNet's, as the references draw them."""

from __future__ import annotations

import math

import numpy as np
from mindspore import Parameter, Tensor, nn

from focus_detr.models.backbones.frozen_conv import FrozenConv
from focus_detr.models.backbones.patches import PatchProjection
from focus_detr.models.backbones.window_attention import TABLE_SPREAD, WindowAttention
from focus_detr.ops.products import Dense

LINEAR_SPREAD = 0.02


def initialise_backbone(backbone: nn.Cell, rng: np.random.Generator) -> None:
    """Draw all weights; norms and the biases of linear layers stay as they are built."""
    for _, cell in backbone.cells_and_names():
        if isinstance(cell, FrozenConv):
            shape = cell.weight.shape
            fan_out = shape[0] * shape[2] * shape[3] // cell.convolve.groups
            _set(cell.weight, rng.normal(0.0, math.sqrt(2.0 / fan_out), shape))
        elif isinstance(cell, Dense):
            _set(cell.weight, rng.normal(0.0, LINEAR_SPREAD, cell.weight.shape))
            if isinstance(cell.bias, Parameter):
                _set(cell.bias, np.zeros(cell.bias.shape))
        elif isinstance(cell, WindowAttention):
            table = cell.relative_position_bias_table
            _set(table, rng.normal(0.0, TABLE_SPREAD, table.shape))
        elif isinstance(cell, PatchProjection):
            bound = 1.0 / math.sqrt(np.prod(cell.weight.shape[1:]))
            for parameter in (cell.weight, cell.bias):
                _set(parameter, rng.uniform(-bound, bound, parameter.shape))


def _set(parameter: Parameter, values: np.ndarray) -> None:
    parameter.set_data(Tensor(np.ascontiguousarray(values, np.float32)))
