"""Initial weights, as the reference draws them (semantics of Deformable DETR and DINO)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mindspore import Parameter, Tensor, nn

from focus_detr.models.backbones.initial_weights import initialise_backbone
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.heads import EncoderHeads
from focus_detr.models.heads import Heads
from focus_detr.models.neck import BiasedConvolution
from focus_detr.models.queries.learned_points import LearnedPoints
from focus_detr.models.queries.two_stage_mixed import TwoStageMixedQueries
from focus_detr.models.selection.foreground_selector import ALPHA_RANGE
from focus_detr.ops.products import Dense

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

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


def _initialise_points(cell: LearnedPoints, rng: np.random.Generator) -> None:
    """Glorot normal."""
    weight = cell.reference_points.weight
    deviation = math.sqrt(2.0 / sum(weight.shape))
    _set(weight, rng.normal(0.0, deviation, weight.shape))
    _set(cell.reference_points.bias, np.zeros(cell.reference_points.bias.shape))


def _copy_parameters(source: nn.Cell, target: nn.Cell) -> None:
    for a, b in zip(source.get_parameters(), target.get_parameters(), strict=True):
        _set(b, a.asnumpy())


def _initialise_heads(heads: Heads, rng: np.random.Generator) -> None:
    """All class heads start equal, and all box heads."""
    first = heads.class_heads[0]
    _set(first.weight, _fan_in_uniform(rng, first.weight.shape[1], first.weight.shape))
    prior = -math.log((1 - PRIOR_PROBABILITY) / PRIOR_PROBABILITY)
    _set(first.bias, np.full(first.bias.shape, prior))
    layers = heads.box_heads[0].layers
    for layer in list(layers)[:-1]:
        fan_in = layer.weight.shape[1]
        _set(layer.weight, _fan_in_uniform(rng, fan_in, layer.weight.shape))
        _set(layer.bias, _fan_in_uniform(rng, fan_in, layer.bias.shape))
    _set(layers[-1].weight, np.zeros(layers[-1].weight.shape))
    _set(layers[-1].bias, np.zeros(layers[-1].bias.shape))
    for alike in (heads.class_heads, heads.box_heads):
        for head in list(alike)[1:]:
            _copy_parameters(alike[0], head)
    _set(layers[-1].bias, np.array((0.0, 0.0, heads.first_size, heads.first_size)))


def _copy_heads(source: Heads, target: EncoderHeads) -> None:
    """All heads of the encoder's layers start as the decoder's; their proposals have a size."""
    for class_head in target.class_heads:
        _copy_parameters(source.class_heads[0], class_head)
    for box_head in target.box_heads:
        _copy_parameters(source.box_heads[0], box_head)
        last = box_head.layers[-1]
        _set(last.bias, np.zeros(last.bias.shape))


def _initialise_linear(parts: Sequence[nn.Cell], but: nn.Cell, rng: np.random.Generator) -> None:
    """Xavier for every matrix of the parts; biases uniform within 1 / sqrt(fan in)."""
    done = {id(cell) for _, cell in but.cells_and_names()}
    for part in parts:
        for _, cell in part.cells_and_names():
            if id(cell) in done:
                continue
            done.add(id(cell))
            if isinstance(cell, Dense):
                _set(cell.weight, _xavier(rng, cell.weight.shape))
                bias = _fan_in_uniform(rng, cell.weight.shape[1], cell.bias.shape)
                _set(cell.bias, bias)
            elif hasattr(cell, "in_proj_weight"):
                _set(cell.in_proj_weight, _xavier(rng, cell.in_proj_weight.shape))


def _initialise_transformer(model: DETR, rng: np.random.Generator) -> None:
    """Linear layers, and embeddings that are learned."""
    parts = (model.queries, model.encoder, model.decoder, model.selection)
    _initialise_linear(parts, model.decoder.heads, rng)
    for layers in (model.encoder.layers, model.decoder.layers):
        for layer in layers:
            _set(layer.ffn.linear1.bias, layers[0].ffn.linear1.bias.asnumpy())
            _set(layer.ffn.linear2.bias, layers[0].ffn.linear2.bias.asnumpy())
    _draw_tables(model, QUERY_TABLES, rng)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def _alpha(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-ALPHA_RANGE, ALPHA_RANGE, shape)


def _anchors(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Logits of uniform numbers, within -3 and 3 (DAB-DETR)."""
    shares = rng.uniform(0.0, 1.0, shape).clip(1e-6, 1 - 1e-6)
    return np.log(shares / (1.0 - shares)).clip(-3.0, 3.0)


# parameters that belong to no linear layer, by name
QUERY_TABLES: Mapping[str, Draw] = {
    "queries.query_embed": _xavier,
    "queries.embed": _normal,
    "queries.anchors": _anchors,
}
OTHER_TABLES: Mapping[str, Draw] = {
    "level_embed": _normal,
    "label_embed": _normal,
    "foreground_selector.alpha": _alpha,
}


def _draw_tables(model: DETR, draws: Mapping[str, Draw], rng: np.random.Generator) -> None:
    for name, parameter in model.parameters_and_names():
        if name in draws:
            _set(parameter, draws[name](rng, parameter.shape))


def initialise(model: DETR, seed: int) -> None:
    """Draw all weights outside the backbone's norms from a seed.

    Args:
        model: its parameters are overwritten.
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
        if isinstance(cell, LearnedPoints):
            _initialise_points(cell, rng)
        if isinstance(cell, TwoStageMixedQueries):  # as a table, not as a matrix
            _set(cell.query_embed, _normal(rng, cell.query_embed.shape))
    _initialise_heads(model.decoder.heads, rng)
    _draw_tables(model, OTHER_TABLES, rng)
    for _, cell in model.cells_and_names():
        if isinstance(cell, EncoderHeads):
            _copy_heads(model.decoder.heads, cell)
