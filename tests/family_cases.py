"""The golden cases of Deformable DETR, DN-Deformable-DETR and DINO: settings and networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from golden_data import manifest, weight_for
from mindspore import Tensor
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.weights.convert import detector_to_ours

CLASSES = 80
FOLDER = Path(__file__).parents[1] / "config" / "family"
RECIPES = {
    "deformable_plain": "deformable_detr_r50_50ep",
    "deformable_refine": "deformable_detr_refine_r50_50ep",
    "deformable_two_stage": "deformable_detr_two_stage_r50_50ep",
    "dn_deformable": "dn_deformable_detr_r50_50ep",
    "dino": "dino_r50_12ep",
}
# by slot of the query; manifests have as many as published
_OF_QUERIES = (
    "query_embedding.weight",
    "tgt_embed.weight",
    "refpoint_embed.weight",
    "transformer.tgt_embed.weight",
)


def family_config(base: str, *overrides: str) -> Config:
    """Settings of a base as its golden cases were computed: 100 queries, no dropout."""
    changes = (
        "model.decoder.queries=100",
        "model.encoder.dropout=0",
        "model.decoder.dropout=0",
        "model.padding.evaluation=none",
        "loss.class_weight=1",
    )
    return load_config(FOLDER / f"{RECIPES[base]}.yaml", [*changes, *overrides])


def small_family_config(name: str, *overrides: str) -> Config:
    """A small network with the parts of a settings file of the family.

    Args:
        name: of the file, without its folder.
        *overrides: of settings, as on the command line.
    """
    sizes = (
        "model.width=32",
        "model.heads=4",
        "model.backbone={name: resnet50, width_factor: 0.125, depths: [1, 1, 1, 1]}",
        "model.encoder.layers=2",
        "model.encoder.cascade=[1.0, 0.5]",
        "model.encoder.ffn_width=48",
        "model.encoder.points=2",
        "model.encoder.object_tokens=20",
        "model.encoder.dropout=0",
        "model.decoder.layers=2",
        "model.decoder.ffn_width=48",
        "model.decoder.points=2",
        "model.decoder.queries=30",
        "model.decoder.dropout=0",
        "model.decoder.self_attention_dropout=0",
        "model.max_detections=20",
    )
    return load_config(FOLDER / f"{name}.yaml", [*sizes, *overrides])


def torch_weights(base: str, meta: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The golden recipe's weights as detrex' state dict, aliases included."""
    state, queries = {}, meta["overrides"]["num_queries"]
    for name, entry in manifest(f"{base}_r50")["state_dict"].items():
        shape = list(entry["shape"])
        if name in _OF_QUERIES:
            shape[0] = queries
        values = weight_for(entry["canonical"], shape, meta["seed"])
        state[name] = np.asarray(values, np.float32).reshape(shape)
    return state


def family_model(base: str, meta: Mapping[str, Any], config: Config) -> DETR:
    """The network with the golden recipe's weights."""
    with shapes_only():
        model = build_model(config.model, CLASSES)
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    tensors = detector_to_ours(torch_weights(base, meta))
    assert set(tensors) == set(parameters)
    for name, values in tensors.items():
        parameters[name].set_data(Tensor(values))
    return model
