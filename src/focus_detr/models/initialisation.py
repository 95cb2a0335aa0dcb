"""Initial weights, as the reference draws them (semantics of Deformable DETR and DINO)."""

from __future__ import annotations

import math

import numpy as np
from mindspore import Parameter, Tensor, nn

from focus_detr.models.backbones.initial_weights import initialise_backbone
from focus_detr.models.neck import BiasedConvolution
from focus_detr.ops.products import Dense

PRIOR_PROBABILITY = 0.01


def _set(parameter: Parameter, values: np.ndarray) -> None:
    parameter.set_data(Tensor(np.ascontiguousarray(values, np.float32)))


def _xavier(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Glorot uniform with the fans of a linear or convolution kernel."""
    receptive = int(np.prod(shape[2:]))
    bound = math.sqrt(6.0 / ((shape[0] + shape[1]) * receptive))
    return rng.uniform(-bound, bound, shape)


def _fan_in_uniform(rng: np.random.Generator, fan_in: int, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within 1 / sqrt(fan in): what biases (and class heads) start from."""
    bound = 1.0 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def sampling_directions(heads: int, levels: int, points: int) -> np.ndarray:
    """Bias of the sampling offsets: one direction per head, point p reaches p cells far: [M*L*P*2].

    Deformable DETR, appendix A.4.
    """
    angle = 2.0 * math.pi * np.arange(heads) / heads
    direction = np.stack((np.cos(angle), np.sin(angle)), -1)
    direction /= np.abs(direction).max(-1, keepdims=True)  # [M, 2]
    reach = np.arange(1, points + 1).reshape(1, 1, points, 1)
    grid = np.broadcast_to(direction[:, None, None], (heads, levels, points, 2)) * reach
    return grid.reshape(-1)  # [M*L*P*2]


def _initialise_attention(cell: nn.Cell, rng: np.random.Generator) -> None:
    """One MSDeformableAttention."""
    for layer in (cell.sampling_offsets, cell.attention_weights):
        _set(layer.weight, np.zeros(layer.weight.shape))
        _set(layer.bias, np.zeros(layer.bias.shape))
    _set(cell.sampling_offsets.bias, sampling_directions(cell.heads, cell.levels, cell.points))
    for layer in (cell.value_proj, cell.output_proj):
        _set(layer.weight, _xavier(rng, layer.weight.shape))
        _set(layer.bias, np.zeros(layer.bias.shape))


def _copy_parameters(source: nn.Cell, target: nn.Cell) -> None:
    for a, b in zip(source.get_parameters(), target.get_parameters(), strict=True):
        _set(b, a.asnumpy())


def _initialise_heads(model: nn.Cell, rng: np.random.Generator) -> None:
    """All class heads start equal, and all box heads."""
    first = model.class_heads[0]
    _set(first.weight, _fan_in_uniform(rng, first.weight.shape[1], first.weight.shape))
    prior = -math.log((1 - PRIOR_PROBABILITY) / PRIOR_PROBABILITY)
    _set(first.bias, np.full(first.bias.shape, prior))
    layers = model.box_heads[0].layers
    for layer in list(layers)[:-1]:
        fan_in = layer.weight.shape[1]
        _set(layer.weight, _fan_in_uniform(rng, fan_in, layer.weight.shape))
        _set(layer.bias, _fan_in_uniform(rng, fan_in, layer.bias.shape))
    _set(layers[-1].weight, np.zeros(layers[-1].weight.shape))
    _set(layers[-1].bias, np.zeros(layers[-1].bias.shape))
    for heads in (model.class_heads, model.box_heads):
        for head in list(heads)[1:]:
            _copy_parameters(heads[0], head)


def _initialise_transformer(model: nn.Cell, rng: np.random.Generator) -> None:
    """Xavier for every matrix; biases of linear layers uniform within 1 / sqrt(fan in)."""
    parts = [model.memory_projection, model.ranking, model.encoder, model.decoder]
    if model.has_selector:
        parts.append(model.foreground_selector.score_mlp)
    for part in parts:
        for _, cell in part.cells_and_names():
            if isinstance(cell, Dense):
                _set(cell.weight, _xavier(rng, cell.weight.shape))
                bias = _fan_in_uniform(rng, cell.weight.shape[1], cell.bias.shape)
                _set(cell.bias, bias)
            elif hasattr(cell, "in_proj_weight"):
                _set(cell.in_proj_weight, _xavier(rng, cell.in_proj_weight.shape))
    _set(model.proposals.query_embed, _xavier(rng, model.proposals.query_embed.shape))
    for layers in (model.encoder.layers, model.decoder.layers):
        for layer in layers:
            _set(layer.ffn.linear1.bias, layers[0].ffn.linear1.bias.asnumpy())
            _set(layer.ffn.linear2.bias, layers[0].ffn.linear2.bias.asnumpy())


def initialise(model: nn.Cell, seed: int) -> None:
    """Draw all weights outside the backbone's norms from a seed.

    Args:
        model: a ``FocusDETR``; its parameters are overwritten.
        seed: same seed, same weights.
    """
    rng = np.random.default_rng(seed)
    initialise_backbone(model.backbone, rng)
    for _, cell in model.neck.cells_and_names():
        if isinstance(cell, BiasedConvolution):
            _set(cell.weight, _xavier(rng, cell.weight.shape))
            _set(cell.bias, np.zeros(cell.bias.shape))
    _initialise_transformer(model, rng)
    for _, cell in model.cells_and_names():
        if hasattr(cell, "in_proj_bias"):
            _set(cell.out_proj.bias, np.zeros(cell.out_proj.bias.shape))
        if hasattr(cell, "sampling_offsets"):
            _initialise_attention(cell, rng)
    _initialise_heads(model, rng)
    _set(model.level_embed, rng.normal(size=model.level_embed.shape))
    _set(model.label_embed, rng.normal(size=model.label_embed.shape))
    if model.has_selector:
        alpha = model.foreground_selector.alpha
        _set(alpha, rng.uniform(-0.3, 0.3, alpha.shape))
