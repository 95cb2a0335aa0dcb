"""The golden cases of Sparse DETR: its network put together of our parts, weights, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from golden_data import manifest, weight_for
from mindspore import Parameter, Tensor, nn

from focus_detr.config.schema import BackboneConfig, DecoderConfig, EncoderConfig, ModelConfig
from focus_detr.losses.criterion import Criterion
from focus_detr.losses.loss_parts import LossWeights
from focus_detr.losses.mask_prediction import MaskPredictionLoss
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.losses.matcher import build_matcher
from focus_detr.losses.set_losses import SetLosses
from focus_detr.models.decoder import Decoder, DecoderLayer
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.dense import DenseEncoder
from focus_detr.models.encoder.heads import EncoderHeads
from focus_detr.models.encoder.sparse import SparseEncoder
from focus_detr.models.factory import (
    build_backbone,
    build_deformable_attention,
    build_encoder_layer,
)
from focus_detr.models.grid import GridBuilder
from focus_detr.models.heads import Heads
from focus_detr.models.layers import FeedForward, MultiHeadAttention
from focus_detr.models.memory_projection import MemoryProjection
from focus_detr.models.neck import Neck
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.queries.efficient import EfficientQueries
from focus_detr.models.queries.proposals import Proposals
from focus_detr.models.queries.two_stage import TwoStageQueries
from focus_detr.models.selection.all_tokens import AllTokens
from focus_detr.models.selection.foreground_selector import ScoreMLP
from focus_detr.models.selection.sparse import SparseSelection
from focus_detr.models.selection.sparse_selector import SparseSelector
from focus_detr.models.selection.token_ranking import TokenRanking
from focus_detr.ops.decoder_attention_map import DecoderAttentionMap
from focus_detr.weights.convert import detector_to_ours

WIDTH, HEADS, CLASSES, LAYERS, FFN = 256, 8, 91, 6, 1024
NO_EPSILON = 1e-12
MODEL = ModelConfig(
    backbone=BackboneConfig(freeze_at=2),
    encoder=EncoderConfig(ffn_width=FFN, dual_attention=False),
    decoder=DecoderConfig(ffn_width=FFN),
)


def sparse_golden_model(meta: Mapping[str, Any]) -> DETR:
    """The network of a case with the recipe's weights."""
    model = _network(meta["overrides"])
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    filled = set()
    names = our_names()
    for name in manifest("sparse_r50")["state_dict"]:
        if names.get(name) in parameters:
            parameter = parameters[names[name]]  # two-stage queries are wider than the manifest's
            parameter.set_data(Tensor(weight_for(name, parameter.shape, meta["seed"])))
            filled.add(names[name])
    assert filled == set(parameters)
    return model


def our_names() -> dict[str, str]:
    """Our name of each canonical tensor of the release, as checkpoints are converted."""
    entries = manifest("sparse_r50")["state_dict"]
    order = sorted({entry["canonical"] for entry in entries.values()})
    marked = {  # by their number; of one row, so that no class is left out
        name: np.full((1, *entry["shape"][1:]), order.index(entry["canonical"]))
        for name, entry in entries.items()
    }
    return {order[tensor.flat[0]]: name for name, tensor in detector_to_ours(marked).items()}


def sparse_criterion(keep_ratio: float) -> Criterion:
    """The release's losses."""
    matcher = build_matcher("host", "CPU", giou_epsilon=NO_EPSILON)
    return Criterion(
        decoder_losses=MatchedLosses(matcher, SetLosses(giou_epsilon=NO_EPSILON)),
        foreground_loss=None,
        mask_prediction_loss=MaskPredictionLoss(keep_ratio=keep_ratio),
        decoder_layers=LAYERS,
        encoder="every_token",
        encoder_labels="classes",
        encoder_layers=LAYERS - 1,
        weights=LossWeights(class_=2.0, encoder_class=2.0),
    )


def _network(overrides: Mapping[str, Any]) -> DETR:
    keep_ratio = overrides["rho"]
    heads = Heads(WIDTH, CLASSES, LAYERS, epsilon=1e-5)
    projection, backbone = MemoryProjection(WIDTH), build_backbone(MODEL.backbone)
    shared: dict[str, Any] = {
        "level_embed": Parameter(Tensor(np.zeros((4, WIDTH), np.float32))),
        "memory_projection": projection,
        "class_heads": heads.class_heads,
        "box_heads": heads.box_heads,
    }
    layers = [build_encoder_layer(MODEL, heads.class_heads[-1]) for _ in range(LAYERS)]
    selection: nn.Cell = AllTokens(LAYERS)
    encoder: nn.Cell = DenseEncoder(layers)
    if keep_ratio > 0:
        selector = shared["foreground_selector"] = SparseSelector(ScoreMLP(WIDTH))
        layer_heads = shared["encoder_heads"] = EncoderHeads(WIDTH, CLASSES, LAYERS - 1)
        ranking = TokenRanking(keep_ratio=keep_ratio, cascade=(1.0,) * LAYERS)
        selection = SparseSelection(selector, projection, ranking)
        encoder = SparseEncoder(layers, layer_heads)
    return DETR(
        shared=shared,
        backbone=backbone,
        neck=Neck(backbone.channels, WIDTH, 4),
        grid=GridBuilder(SinePositionEmbedding(WIDTH), shared["level_embed"]),
        selection=selection,
        encoder=encoder,
        queries=_queries(overrides, projection, heads),
        decoder=_decoder(heads),
        num_classes=CLASSES,
        padding_training="partial",
        padding_evaluation="partial",
    )


def _queries(
    overrides: Mapping[str, Any], projection: MemoryProjection, heads: Heads
) -> EfficientQueries | TwoStageQueries:
    """The release's own, or those of the network that it was made from."""
    by_first_class = not overrides.get("eff_specific_head", True)
    count = overrides["num_queries"]
    proposals = Proposals(projection, heads, count, by_first_class=by_first_class)
    if overrides.get("eff_query_init", True):
        return EfficientQueries(proposals, WIDTH)
    return TwoStageQueries(proposals, WIDTH)


def _decoder(heads: Heads) -> Decoder:
    layers = [
        DecoderLayer(
            MultiHeadAttention(WIDTH, HEADS),
            build_deformable_attention(MODEL, 4),
            FeedForward(WIDTH, FFN),
            WIDTH,
            traces=True,
        )
        for _ in range(LAYERS)
    ]
    return Decoder(layers, heads, WIDTH, reference_head=None, attention_map=DecoderAttentionMap())


def in_reference_order(expected: np.ndarray, ranked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Our rows [B, K, n] of ranked tokens [B, K] as the reference lists the tokens."""
    ordered = []
    for order, ours, values in zip(expected, ranked, rows, strict=True):
        place = {token: row for row, token in enumerate(ours.tolist())}
        ordered.append(values[[place[token] for token in order.tolist()]])
    return np.stack(ordered)
