"""Checkpoints of Deformable DETR, DN-Deformable-DETR and DINO, of detrex and of the authors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from family_cases import family_config, torch_weights
from golden_data import load
from golden_detections import check_detections
from model_cases import golden_images, normalised_batch
from original_names import as_original

from focus_detr.config.schema import BackboneConfig, ModelConfig, PaddingConfig, PositionConfig
from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.inference.loading import load_detector
from focus_detr.weights.checkpoint import save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    checkpoint_from_torch,
    detector_to_ours,
    detector_to_torch,
)
from focus_detr.weights.model_settings import infer_model
from focus_detr.weights.stored_settings import stored_model
from focus_detr.weights.torch_writer import write_state_dict

BASES = ("deformable_plain", "deformable_refine", "deformable_two_stage", "dn_deformable", "dino")
META = {"seed": 0, "overrides": {"num_queries": 100}}


def _state(base: str) -> dict[str, np.ndarray]:
    """Of detrex; the authors' DINO has equal heads in all decoder layers."""
    state = torch_weights(base, META)
    if base == "dino":
        for name in state:
            kind, _, rest = name.removeprefix("transformer.decoder.").partition("_embed.")
            if kind in ("class", "bbox") and not rest.startswith("6."):
                state[name] = state[f"{kind}_embed.0.{rest.partition('.')[2]}"]
    return state


@pytest.mark.parametrize("base", BASES)
def test_the_authors_names_and_rows_give_the_same_tensors(base: str) -> None:
    state = _state(base)
    expected, found = detector_to_ours(state), detector_to_ours(as_original(base, state))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


LABELS, LOST_LABELS = "denoising_generator.label_encoder.weight", "label_encoder.weight"


def test_labels_that_detrex_own_conversion_loses_are_found() -> None:
    state = torch_weights("dn_deformable", META)
    expected = detector_to_ours(state)
    rows = state.pop(LABELS)
    spread = np.zeros((92, rows.shape[1]), rows.dtype)  # 11 category ids without a class
    spread[[*COCO_CLASSES.category_ids, 91]] = rows
    for table in (rows, spread):
        tensors = detector_to_ours(state | {LOST_LABELS: table})
        assert tensors.keys() == expected.keys()
        np.testing.assert_array_equal(tensors["label_embed"], expected["label_embed"])
    tensors.pop("label_embed")  # contents of queries still tell that there has to be one
    assert infer_model(tensors, PositionConfig()).label_rows == "one_more"


@pytest.mark.parametrize("base", BASES)
def test_all_names_come_back(base: str) -> None:
    state = torch_weights(base, META)
    again = detector_to_torch(detector_to_ours(state))
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(again[name], tensor, err_msg=name)


def _told_by_tensors(model: ModelConfig) -> dict[str, Any]:
    """Settings of a network without those that its tensors do not show."""
    decoder = replace(model.decoder, queries=0)
    silent = {
        "num_classes": 80,
        "backbone": BackboneConfig(),
        "position": PositionConfig(),
        "padding": PaddingConfig(),
        "decoder": decoder,
    }
    return vars(replace(model, **silent))


@pytest.mark.parametrize("base", BASES)
def test_settings_are_found_out(base: str) -> None:
    tensors = detector_to_ours(torch_weights(base, META))
    found = infer_model(tensors, PositionConfig())
    assert _told_by_tensors(found) == _told_by_tensors(family_config(base).model)
    assert found.decoder.queries == (300 if base == "deformable_two_stage" else 100)


@pytest.mark.parametrize(
    ("base", "epsilon", "position", "results"),
    [
        ("deformable_two_stage", 1e-5, PositionConfig(), 100),
        ("dn_deformable", 1e-3, PositionConfig(), 100),
        ("dino", 1e-3, PositionConfig(20.0, 0.0), 300),
    ],
)
def test_the_authors_own_constants_come_along(
    tmp_path: Path, base: str, epsilon: float, position: PositionConfig, results: int
) -> None:
    write_state_dict(tmp_path / "theirs.pth", as_original(base, _state(base)))
    tensors, metadata, excused = checkpoint_from_torch(tmp_path / "theirs.pth", Choices())
    model = stored_model(metadata, "the file")
    assert not excused and model is not None and len(tensors["class_heads.0.bias"]) == 80
    assert (model.logit_epsilon, model.position) == (epsilon, position)
    assert model.max_detections == results


def _converted(
    base: str, state: Mapping[str, np.ndarray], path: Path
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and metadata of detrex' file."""
    write_state_dict(path, state)
    model = None
    if base == "deformable_two_stage":  # no tensor tells of 100 queries instead of 300
        model = family_config(base).model
    tensors, metadata, _ = checkpoint_from_torch(path, Choices(model=model))
    return tensors, metadata


# tests/models/test_family_inference.py runs networks of these tensors and settings
@pytest.mark.parametrize("base", BASES)
def test_a_file_becomes_the_network_that_gives_the_golden_detections(
    tmp_path: Path, base: str
) -> None:
    state = torch_weights(base, load(f"infer_{base}_r50_q100")["meta"])
    tensors, metadata = _converted(base, state, tmp_path / "published.pth")
    expected = detector_to_ours(state)
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)
    assert len(metadata["class_names"]) == len(metadata["category_ids"]) == 80
    stored, model = stored_model(metadata, "the file"), family_config(base).model
    assert stored is not None
    start = replace(model.backbone, weights=stored.backbone.weights)
    as_reference = replace(stored, padding=PaddingConfig(evaluation="none"))
    assert as_reference == replace(model, backbone=start)


# the others' files differ in tensors and settings alone, which the test above compares
@pytest.mark.large
@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_converted_weights_give_the_golden_detections(tmp_path: Path, msda: str) -> None:
    golden = load("infer_dn_deformable_r50_q100")
    state = torch_weights("dn_deformable", golden["meta"])
    tensors, metadata = _converted("dn_deformable", state, tmp_path / "published.pth")
    save_checkpoint(tmp_path / "ours.safetensors", tensors, metadata)
    stored = stored_model(metadata, "the file")
    assert stored is not None
    as_reference = replace(stored, padding=PaddingConfig(evaluation="none"))
    detector = load_detector(tmp_path / "ours.safetensors", as_reference).cell.set_train(False)
    outputs = detector(*normalised_batch(golden_images(golden["meta"])))
    check_detections(golden, [output.asnumpy() for output in outputs])
