"""DAC-DETR's golden cases: settings, weights, network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from golden_data import manifest, weights_from_manifest
from mindspore import Tensor
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.weights.convert import detector_to_ours

CLASSES, LABEL_ROWS, QUERIES = 91, 92, 120  # raw category ids are the labels
SLOTS, TARGETS = 200, 20  # of denoising, and padded boxes per image


def dac_config(*overrides: str) -> Config:
    """Settings of the cases: real padding is masked in evaluation too."""
    changes = (f"model.decoder.queries={QUERIES}", "model.padding.evaluation=partial")
    return load_config("family/dac_detr_r50_12ep", [*changes, *overrides])


def dac_weights(meta: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The recipe's weights under the authors' names, aliases included."""
    entries = manifest("dac_r50")
    entries["state_dict"]["query_embed.weight"]["shape"][0] = meta["num_queries"]
    state = weights_from_manifest(entries, meta["seed"])
    for name, values in state.items():
        tweak = meta["tweak"].get(entries["state_dict"][name]["canonical"])
        if tweak is not None:
            first, end = tweak.get("channels", (0, len(values)))
            values[first:end] = values[first:end] * tweak.get("mul", 1) + tweak.get("add", 0)
    return state


def of_all_ids(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our tensors with a class for each category id, instead of COCO's 80."""
    longer = {
        name: np.concatenate((tensor, tensor[:1])) if _has_rows_of_ids(name) else tensor
        for name, tensor in state.items()
    }  # no head has so many rows that the conversion knows them
    tensors = detector_to_ours(longer)
    return {
        name: tensor[:CLASSES] if name.startswith(("class_heads.", "label_embed")) else tensor
        for name, tensor in tensors.items()
    }


def _has_rows_of_ids(name: str) -> bool:
    return "class_embed." in name or name == "label_enc.weight"


def dac_model(meta: Mapping[str, Any], config: Config) -> DETR:
    """The network with the golden recipe's weights, which gathers in training."""
    with shapes_only():
        model = build_model(config.model, CLASSES, gathers="all")
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    tensors = of_all_ids(dac_weights(meta))
    assert set(tensors) == set(parameters)
    for name, values in tensors.items():
        parameters[name].set_data(Tensor(values))
    return model


def names_of_ours(meta: Mapping[str, Any]) -> dict[str, str]:
    """The authors' name of each of our tensors, found by converting numbered ones."""
    entries = manifest("dac_r50")["state_dict"]
    canonical = sorted({entry["canonical"] for entry in entries.values()})
    numbered = {
        name: np.full(values.shape, canonical.index(entries[name]["canonical"]), np.int32)
        for name, values in dac_weights(meta).items()
    }
    return {name: canonical[tensor.flat[0]] for name, tensor in of_all_ids(numbered).items()}


def our_loss(theirs: str) -> str:
    """Our name of a loss: theirs without a suffix are the second decoder's."""
    if theirs.endswith("_enc"):
        return theirs.replace("loss_ce", "loss_class")
    name = theirs.removesuffix("_one2one").replace("loss_ce", "loss_class")
    if theirs.endswith("_one2one"):
        return name
    kind, *rest = name.removeprefix("loss_").split("_")
    layer = [part for part in rest if part.isdigit()]
    slots = ["dn"] if "dn" in rest else []
    return "_".join(["loss", kind, *slots, "many", *layer])
