"""A small network with Sparse DETR's selection, and what its parts make of two images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from golden_data import image_for
from mindspore import Tensor
from model_cases import SMALL_CLASSES, normalised_batch, scatter_weights, small_config

from focus_detr.config.schema import (
    DenoisingConfig,
    ForegroundSelectorConfig,
    ModelConfig,
    QueriesConfig,
    QuerySource,
)
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.encoding import Encoded
from focus_detr.models.factory import build_model
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection

ObjectScore = Literal["logits", "probabilities"]
SIZES = ((96, 128), (80, 96))


def sparse_config(
    keep_ratio: float = 0.3,
    *,
    dual_attention: bool = False,
    object_score: ObjectScore = "logits",
    **changes: Any,
) -> ModelConfig:
    """``changes`` replace fields of the network."""
    small = small_config(**changes)
    encoder = replace(
        small.encoder,
        keep_ratio=keep_ratio,
        cascade=(1.0,) * small.encoder.layers,
        dual_attention=dual_attention,
        object_score=object_score,
        value="memory",
        auxiliary_heads=True,
    )
    selector = ForegroundSelectorConfig(kind="sparse")
    return replace(small, encoder=encoder, foreground_selector=selector)


# denoising of the networks that published results have, small
DENOISING = {
    "mixed": DenoisingConfig(number=4),
    "learned_anchors": DenoisingConfig(kind="dn", number=2, label_noise=0.2, box_noise=0.4),
}


def with_source(config: ModelConfig, source: QuerySource) -> ModelConfig:
    """The same encoder with the queries and the decoder of another base."""
    if source == "mixed":
        return config
    boxes = source == "learned_anchors"
    decoder = replace(
        config.decoder,
        position="boxes" if boxes else "constant",
        scale_position=boxes,
        output_norm=False,
        look_forward_twice=False,
    )
    rows = "one_more" if boxes else "none"
    return replace(config, queries=QueriesConfig(source), decoder=decoder, label_rows=rows)


def sparse_model(config: ModelConfig) -> DETR:
    """With scattered weights, in evaluation, mapping where the decoder looks."""
    model = build_model(config, SMALL_CLASSES, maps_attention=True)
    scatter_weights(model)
    return model.set_train(False)


def pictures(sizes: tuple[tuple[int, int], ...] = SIZES) -> tuple[Tensor, Tensor]:
    """A padded batch and the sizes of its images."""
    return normalised_batch([image_for(i, *size, 0) for i, size in enumerate(sizes)])


def encoded(model: DETR, images: Tensor, sizes: Tensor) -> tuple[Tensor, Selection, Encoded, Grid]:
    """Drawn tokens, what is selected of them, what the encoder makes of it, and the grid."""
    shapes, grid = model.shapes(images), model.build_grid(images, sizes)
    drawn = np.random.default_rng(0).normal(size=grid["position"].shape)
    tokens = Tensor(drawn.astype(np.float32))
    selection = model.select(tokens, grid, shapes)
    return tokens, selection, model.encode(tokens, selection, grid, shapes), grid
