"""How much arithmetic one image costs, from the settings alone.

Counted as detection papers do: one multiply-add is 1; convolutions, linear layers and batched
products count; norms, activations, softmax, additions, ranking, gathers, embeddings, resizing,
pooling and level means do not. Deformable sampling counts five multiply-adds per point and channel,
four for the bilinear weights and one for the attention weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

from focus_detr.config.schema import PROPOSING, ModelConfig
from focus_detr.models.backbones.convolutions import Convolution
from focus_detr.models.backbones.costs import backbone_channels, backbone_multiply_adds
from focus_detr.models.geometry import first_stride, level_shapes
from focus_detr.models.selection.token_ranking import kept_count, layer_counts

SAMPLING_PER_CHANNEL = 5  # per point: four bilinear products and the attention weight
PROJECTIONS = 4  # of multi-head attention: query, key, value, output


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of one forward pass per part; the fields are disjoint."""

    backbone: int
    neck: int
    score_mlp: int
    memory_projection: int  # for the foreground selector and again for the proposals
    dual_attention: int
    encoder_layers: int  # without dual attention and sampling
    category_head: int  # MCSP
    decoder_layers: int  # without sampling
    query_position: int  # from boxes, in each layer or once
    heads: int
    encoder_sampling: int
    decoder_sampling: int

    @property
    def total(self) -> int:
        """All parts."""
        return sum(getattr(self, part.name) for part in fields(self))


def token_count(config: ModelConfig, height: int, width: int) -> int:
    """Tokens N of all levels for an image of height x width pixels."""
    return sum(rows * columns for rows, columns in level_shapes(height, width, config.levels))


def refined_counts(config: ModelConfig, tokens: int) -> tuple[int, ...]:
    """Tokens K that each encoder layer refines of N, for an image without padding."""
    if not config.foreground_selector.enabled:
        return (tokens,) * config.encoder.layers
    return layer_counts(kept_count(tokens, config.encoder.keep_ratio), config.encoder.cascade)


def with_all_tokens(config: ModelConfig) -> ModelConfig:
    """The same network, refining every token in every layer."""
    encoder = replace(config.encoder, keep_ratio=1.0, cascade=(1.0,) * config.encoder.layers)
    return replace(config, encoder=encoder)


def count_multiply_adds(
    config: ModelConfig, num_classes: int, height: int, width: int
) -> MultiplyAdds:
    """Multiply-adds for one image.

    Args:
        config: the network's settings.
        num_classes: number of object classes.
        height: of the image as the network sees it, pixels.
        width: likewise.
    """
    tokens = token_count(config, height, width)
    kept = refined_counts(config, tokens)
    queries, layers = min(config.decoder.queries, tokens), config.decoder.layers
    selects, dual = config.foreground_selector.enabled, config.encoder.dual_attention
    projects = selects and config.foreground_selector.features == "projection"
    proposes = config.queries.source in PROPOSING
    encoder, decoder = config.encoder, config.decoder
    return MultiplyAdds(
        backbone=backbone_multiply_adds(config.backbone, height, width),
        neck=_convolved(_neck(config), height, width),
        score_mlp=_score_mlp(config.width, tokens) if selects else 0,
        memory_projection=(proposes + projects) * tokens * config.width**2,
        dual_attention=sum(_attention(config.width, min(encoder.object_tokens, k)) for k in kept)
        * dual,
        encoder_layers=sum(
            _deformable_layer(config, encoder.points, encoder.ffn_width, tokens, k) for k in kept
        ),
        category_head=sum(kept) * config.width * num_classes * dual,
        decoder_layers=layers
        * (
            _attention(config.width, queries)
            + _deformable_layer(config, decoder.points, decoder.ffn_width, tokens, queries)
        ),
        query_position=queries * _query_position(config),
        heads=_heads(config, num_classes, tokens, queries),
        encoder_sampling=sum(kept) * _sampling(config, encoder.points),
        decoder_sampling=layers * queries * _sampling(config, decoder.points),
    )


def _convolved(convolutions: Sequence[Convolution], height: int, width: int) -> int:
    return sum(convolution.multiply_adds(height, width) for convolution in convolutions)


def _neck(config: ModelConfig) -> list[Convolution]:
    finest = first_stride(config.levels)
    inputs = backbone_channels(config.backbone, finest)
    convolutions = [
        Convolution(channels, config.width, 1, finest * 2**level)
        for level, channels in enumerate(inputs)
    ]
    if config.levels > len(inputs):
        stride = finest * 2 ** len(inputs)
        convolutions.append(Convolution(inputs[-1], config.width, 3, stride))
    return convolutions


def _mlp(sizes: Sequence[int]) -> int:
    """One row through linear layers of these widths."""
    return sum(a * b for a, b in pairwise(sizes))


def _score_mlp(width: int, tokens: int) -> int:
    return tokens * _mlp((width, width, width // 2, width // 4, 1))


def _attention(width: int, tokens: int) -> int:
    """Multi-head attention among ``tokens``: projections, logits and weighted sum."""
    return PROJECTIONS * tokens * width**2 + 2 * tokens**2 * width


def _deformable_layer(
    config: ModelConfig, points: int, ffn_width: int, tokens: int, queries: int
) -> int:
    """Deformable attention of ``queries`` to ``tokens`` without sampling, and feed-forward."""
    width, samples = config.width, config.heads * config.levels * points
    per_query = width * (2 * samples + samples) + width**2 + 2 * width * ffn_width
    return tokens * width**2 + queries * per_query


def _sampling(config: ModelConfig, points: int) -> int:
    """Deformable sampling of one query; every head has its share of the channels."""
    return config.levels * points * config.width * SAMPLING_PER_CHANNEL


def _heads(config: ModelConfig, num_classes: int, tokens: int, queries: int) -> int:
    """Class and box heads.

    Proposals read both for all tokens and, unless all of them are supervised, the class head again
    for those chosen. Where a decoder layer's states have a norm or its prediction starts from other
    boxes than the next layer, its box head is read twice.
    """
    classes = config.width * num_classes
    boxes = _mlp((config.width, config.width, config.width, 4))
    decoder, source = config.decoder, config.queries.source
    twice = decoder.refine and (decoder.output_norm or decoder.look_forward_twice)
    proposals = tokens * (classes + boxes) if source in PROPOSING else 0
    if source == "mixed":
        proposals += queries * classes
    return proposals + decoder.layers * queries * (classes + (2 if twice else 1) * boxes)


def _query_position(config: ModelConfig) -> int:
    """One query's position: from its box anew in each layer, or of a two-stage proposal once."""
    width, layers = config.width, config.decoder.layers
    if config.decoder.position == "boxes":
        scale = (layers - 1) * _mlp((width, width, width)) if config.decoder.scale_position else 0
        return layers * _mlp((2 * width, width, width)) + scale
    # of the projected sine code
    outputs = {"two_stage": 2 * width, "two_stage_mixed": 2 * width, "efficient": width}
    return 2 * width * outputs.get(config.queries.source, 0)
