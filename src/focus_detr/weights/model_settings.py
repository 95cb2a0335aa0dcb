"""The settings of a network, as far as its tensors tell them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from focus_detr.config.schema import (
    PROPOSING,
    BackboneConfig,
    BackboneName,
    DecoderConfig,
    EncoderConfig,
    ForegroundSelectorConfig,
    LabelRows,
    ModelConfig,
    PositionConfig,
    QueriesConfig,
    QuerySource,
)
from focus_detr.config.swin_sizes import SWINS
from focus_detr.config.validation import STAGES
from focus_detr.errors import FocusDetrError
from focus_detr.models.backbones import resnet
from focus_detr.weights.bias_tables import TABLE

Tensors = Mapping[str, np.ndarray]

# the position embedding has no tensors; these are the published training recipes' values
_LATER_POSITION = PositionConfig(temperature=20.0, offset=0.0)
RECIPES: Mapping[str, PositionConfig] = {
    "r50_12ep": PositionConfig(),
    "r50_24ep": _LATER_POSITION,
    "r50_36ep": _LATER_POSITION,
    "r101_12ep": PositionConfig(),
    "r101_24ep": _LATER_POSITION,
    "r101_36ep": _LATER_POSITION,
    # Swin Transformer's all keep the first pair
    "swin_tiny_12ep": PositionConfig(),
    "swin_tiny_24ep": PositionConfig(),
    "swin_tiny_36ep": PositionConfig(),
    "swin_base_224_36ep": PositionConfig(),
    "swin_base_384_36ep": PositionConfig(),
    "swin_large_36ep": PositionConfig(),
}

_QUERY_TENSORS = ("queries.query_embed", "queries.embed", "queries.anchors")
_TWO_STAGE_QUERIES = 300  # which no tensor shows
_SPARSE_RATIO = 0.3  # likewise
_STAGES = range(2, 6)
_STEM_WIDTH = 64
_BOTTLENECKS = {resnet.DEPTHS[name]: name for name in resnet.DEPTHS if name not in resnet.BASIC}
_BASICS = {resnet.DEPTHS[name]: name for name in resnet.BASIC}
_SWINS: Mapping[tuple[int, tuple[int, ...]], BackboneName] = {
    (size.heads, size.depths): name for name, size in SWINS.items()
}
_SWIN_BLOCK = "backbone.layers.0.blocks.0.attn."
_LITE_MEAN, _LITE_STD = (127.0,) * 3, (128.0,) * 3  # what EfficientNet-Lite was trained with


def infer_model(tensors: Tensors, position: PositionConfig) -> ModelConfig:
    """Settings of a whole detector; what the tensors do not show is as in the published model.

    Args:
        tensors: by our name.
        position: of the recipe that the tensors were trained with.

    Raises:
        FocusDetrError: the backbone is none of ours.
    """
    usual = ModelConfig()
    levels = _size(tensors, "level_embed", 0, usual.levels)
    attention = _size(tensors, "encoder.layers.0.deformable.attention_weights.bias", 0, 0)
    points = attention // (usual.heads * levels) or usual.encoder.points
    classes = _size(tensors, "class_heads.0.bias", 0, _size(tensors, "label_embed", 0, 0))
    selects = _any_below("foreground_selector.", tensors)
    return replace(
        usual,
        num_classes=classes or None,
        width=_size(tensors, "level_embed", 1, usual.width),
        levels=levels,
        backbone=infer_backbone(tensors),
        position=position,
        foreground_selector=_infer_selector(tensors),
        encoder=_infer_encoder(tensors, usual.encoder, points, selects),
        queries=_infer_queries(tensors),
        decoder=_infer_decoder(tensors, usual.decoder, points),
        label_rows=_infer_label_rows(tensors, classes),
    )


def _infer_selector(tensors: Tensors) -> ForegroundSelectorConfig:
    """Only Focus-DETR's selector has factors between levels."""
    kind: Literal["focus", "sparse"] = "sparse" if _is_sparse(tensors) else "focus"
    return ForegroundSelectorConfig(enabled=_any_below("foreground_selector.", tensors), kind=kind)


def _is_sparse(tensors: Tensors) -> bool:
    selects = _any_below("foreground_selector.", tensors)
    return selects and "foreground_selector.alpha" not in tensors


def _infer_encoder(
    tensors: Tensors, usual: EncoderConfig, points: int, selects: bool
) -> EncoderConfig:
    is_dual = _any_below("encoder.layers.0.dual_attention.", tensors)
    predicts = _any_below("encoder_heads.", tensors)
    has_head = _source(tensors) in PROPOSING or predicts
    layers, is_sparse = _count(tensors, "encoder.layers.") or usual.layers, _is_sparse(tensors)
    if is_sparse:
        usual = replace(usual, keep_ratio=_SPARSE_RATIO, cascade=(1.0,) * layers)
    return replace(
        usual,
        layers=layers,
        auxiliary_heads=predicts,
        ffn_width=_size(tensors, "encoder.layers.0.ffn.linear1.bias", 0, usual.ffn_width),
        points=points,
        dual_attention=is_dual,
        category_head="encoder" if has_head or not is_dual else "decoder_layer",
        value="backbone" if selects and not is_sparse else "memory",
    )


def _source(tensors: Tensors) -> QuerySource:
    if "queries.embed" in tensors:
        return "learned_points"
    if "queries.anchors" in tensors:
        return "learned_anchors"
    projection = tensors.get("queries.box_projection.weight")
    if projection is None:
        return "mixed"
    if "queries.query_embed" in tensors:
        return "two_stage_mixed"
    return "two_stage" if len(projection) == projection.shape[1] else "efficient"


def _infer_queries(tensors: Tensors) -> QueriesConfig:
    source = _source(tensors)
    learns = source != "mixed" or "queries.query_embed" in tensors
    return QueriesConfig(source, "learned" if learns else "memory")


def _infer_label_rows(tensors: Tensors, classes: int) -> LabelRows:
    rows = _size(tensors, "label_embed", 0, 0)
    width = _size(tensors, "level_embed", 1, 0)
    if not rows:  # contents without the channel that marks denoising go with such a table
        return "one_more" if _size(tensors, "queries.content_embed", 1, width) < width else "none"
    return "one_more" if rows == classes + 1 else "classes"


def _infer_decoder(tensors: Tensors, usual: DecoderConfig, points: int) -> DecoderConfig:
    layers = _count(tensors, "decoder.layers.") or usual.layers
    has_norm, source = _any_below("decoder.norm.", tensors), _source(tensors)
    shares_heads = layers > 1 and "class_heads.1.weight" not in tensors
    queries = next((len(tensors[name]) for name in _QUERY_TENSORS if name in tensors), None)
    is_deformable = source in ("two_stage", "efficient", "learned_points")
    return replace(
        usual,
        layers=layers,
        ffn_width=_size(tensors, "decoder.layers.0.ffn.linear1.bias", 0, usual.ffn_width),
        points=points,
        queries=queries or (_TWO_STAGE_QUERIES if is_deformable else usual.queries),
        position="boxes" if _any_below("decoder.reference_head.", tensors) else "constant",
        scale_position=_any_below("decoder.query_scale.", tensors),
        output_norm=has_norm,
        refine=not shares_heads,
        look_forward_twice=has_norm or source == "two_stage_mixed",
        shared_heads=shares_heads,
    )


def infer_backbone(tensors: Tensors) -> BackboneConfig:
    """Settings of the backbone.

    Raises:
        FocusDetrError: it is none of ours.
    """
    if _any_below("backbone.blocks.", tensors):
        return BackboneConfig("efficientnet_lite0", pixel_mean=_LITE_MEAN, pixel_std=_LITE_STD)
    if f"{_SWIN_BLOCK}{TABLE}" in tensors:
        return _infer_swin(tensors)
    depths = tuple(_count(tensors, f"backbone.res{stage}.") for stage in _STAGES)
    if not all(depths):
        raise FocusDetrError(
            "the checkpoint's backbone is no ResNet, Swin Transformer or EfficientNet-Lite0"
        )
    is_bottleneck = "backbone.res2.0.conv3.weight" in tensors
    name = (_BOTTLENECKS if is_bottleneck else _BASICS).get(depths)
    stem = _size(tensors, "backbone.stem.conv1.weight", 0, _STEM_WIDTH)
    usual = BackboneConfig(width_factor=stem / _STEM_WIDTH)
    if name is not None:
        return replace(usual, name=name)
    return replace(usual, name="resnet50" if is_bottleneck else "resnet18", depths=depths)


def _infer_swin(tensors: Tensors) -> BackboneConfig:
    """Nothing of it is frozen, as in the published trainings."""
    rows, heads = tensors[f"{_SWIN_BLOCK}{TABLE}"].shape
    depths = tuple(_count(tensors, f"backbone.layers.{stage}.blocks.") for stage in range(STAGES))
    name = _SWINS.get((heads, depths))
    of_heads = [known for known, size in SWINS.items() if size.heads == heads]
    if not of_heads:
        raise FocusDetrError(f"the checkpoint's Swin Transformer has {heads} heads, which none has")
    chosen = name or of_heads[0]
    width = _size(tensors, "backbone.patch_embed.proj.weight", 0, SWINS[chosen].width)
    return BackboneConfig(
        chosen,
        width_factor=width / SWINS[chosen].width,
        depths=None if name else depths,
        freeze_at=0,
        window=(math.isqrt(rows) + 1) // 2,
    )


def _size(tensors: Tensors, name: str, axis: int, usual: int) -> int:
    shape = tensors[name].shape if name in tensors else ()
    return shape[axis] if axis < len(shape) else usual


def _any_below(prefix: str, names: Iterable[str]) -> bool:
    return any(name.startswith(prefix) for name in names)


def _count(names: Iterable[str], prefix: str) -> int:
    """How many numbered parts follow a prefix."""
    pattern = re.compile(rf"{re.escape(prefix)}(\d+)\.")
    return 1 + max((int(match[1]) for match in map(pattern.match, names) if match), default=-1)
