"""The golden cases of Sparse DETR: its settings file, network and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from family_cases import FOLDER
from golden_data import manifest, weight_for
from mindspore import Tensor
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.weights.convert import detector_to_ours

CLASSES, LAYERS = 91, 6


def sparse_golden_config(meta: Mapping[str, Any]) -> Config:
    """Settings of a case: those of the detector's file, but for what the case overrides."""
    overrides = meta["overrides"]
    keep_ratio = overrides["rho"]
    source = "efficient" if overrides.get("eff_query_init", True) else "two_stage"
    labels = "classes" if overrides.get("eff_specific_head", True) else "objects"
    changes = [
        f"model.queries.source={source}",
        f"model.queries.proposal_labels={labels}",
        f"model.decoder.queries={overrides['num_queries']}",
        "model.encoder.dropout=0",
        "model.decoder.dropout=0",
        "model.decoder.self_attention_dropout=0",
        "model.padding.evaluation=partial",
    ]
    if keep_ratio > 0:
        changes.append(f"model.encoder.keep_ratio={keep_ratio}")
    name = "sparse_detr_r50_50ep" if keep_ratio > 0 else "efficient_detr_r50_50ep"
    return load_config(FOLDER / f"{name}.yaml", changes)


def sparse_golden_model(meta: Mapping[str, Any]) -> DETR:
    """The network of a case with the recipe's weights."""
    with shapes_only():
        model = build_model(sparse_golden_config(meta).model, CLASSES, maps_attention=True)
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


def in_reference_order(expected: np.ndarray, ranked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Our rows [B, K, n] of ranked tokens [B, K] as the reference lists the tokens."""
    ordered = []
    for order, ours, values in zip(expected, ranked, rows, strict=True):
        place = {token: row for row, token in enumerate(ours.tolist())}
        ordered.append(values[[place[token] for token in order.tolist()]])
    return np.stack(ordered)
