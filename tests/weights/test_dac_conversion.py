"""DAC-DETR's checkpoints, under the authors' names and with their 91 classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dac_cases import CLASSES, LABEL_ROWS, QUERIES, dac_config, dac_weights
from golden_data import check, load
from model_cases import golden_images, normalised_batch, pynative

from focus_detr.config.schema import ModelConfig, PaddingConfig, PositionConfig
from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.inference.loading import load_detector
from focus_detr.weights.checkpoint import save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    checkpoint_from_torch,
    detector_to_ours,
    detector_to_torch,
    model_shapes,
)
from focus_detr.weights.model_settings import infer_model
from focus_detr.weights.stored_settings import stored_model
from focus_detr.weights.torch_writer import write_state_dict

IDS = list(COCO_CLASSES.category_ids)
META = {"seed": 0, "num_queries": QUERIES, "tweak": {}}


@pytest.fixture(scope="module")
def theirs() -> dict[str, np.ndarray]:
    return dac_weights(META)


@pytest.fixture(scope="module")
def ours(theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return detector_to_ours(theirs)


def _told_by_tensors(model: ModelConfig) -> dict[str, Any]:
    """Settings without those that tensors do not show."""
    silent = {
        "num_classes": 80,
        "padding": PaddingConfig(),
        "backbone": replace(model.backbone, freeze_at=1, weights=None),
        "logit_epsilon": 1e-3,
        "overlap_limit": None,
        "overlap_candidates": None,
        "decoder": replace(model.decoder, gathering="none"),
    }
    return vars(replace(model, **silent))


def test_settings_are_found_out_and_every_tensor_has_its_place(
    ours: dict[str, np.ndarray],
) -> None:
    found = infer_model(ours, PositionConfig())
    assert _told_by_tensors(found) == _told_by_tensors(dac_config().model)
    assert {name: tensor.shape for name, tensor in ours.items()} == model_shapes(found)


def test_the_used_ids_become_classes(
    theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray]
) -> None:
    assert len(theirs["label_enc.weight"]) == LABEL_ROWS
    assert len(theirs["class_embed.5.bias"]) == CLASSES
    for ours_name, name in (
        ("label_embed", "label_enc.weight"),
        ("class_heads.0.bias", "class_embed.0.bias"),
        ("class_heads.5.weight", "transformer.decoder.class_embed.5.weight"),
    ):
        np.testing.assert_array_equal(ours[ours_name], theirs[name][IDS])
    objects = ours["class_heads.6.weight"]  # proposals are told by their first row
    np.testing.assert_array_equal(objects, theirs["class_embed.6.weight"][:80])
    np.testing.assert_array_equal(ours["queries.query_embed"], theirs["query_embed.weight"])


def test_they_come_back_under_the_names_of_detrex(ours: dict[str, np.ndarray]) -> None:
    again = detector_to_ours(detector_to_torch(ours))
    assert again.keys() == ours.keys()
    for name, tensor in ours.items():
        np.testing.assert_array_equal(again[name], tensor, err_msg=name)


@pytest.mark.large
@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_converted_weights_predict_what_the_original_does(tmp_path: Path, msda: str) -> None:
    golden = load("dac_infer_r50_q120")
    write_state_dict(tmp_path / "theirs.pth", dac_weights(golden["meta"]))
    tensors, metadata, excused = checkpoint_from_torch(tmp_path / "theirs.pth", Choices())
    assert not excused
    save_checkpoint(tmp_path / "ours.safetensors", tensors, metadata)
    stored = stored_model(metadata, "the file")
    assert stored is not None
    assert (stored.logit_epsilon, stored.overlap_limit) == (1e-5, 0.8)
    assert (stored.overlap_candidates, stored.max_detections) == (10_000, 300)
    as_reference = replace(stored, padding=PaddingConfig(evaluation="partial"))
    detector = load_detector(tmp_path / "ours.safetensors", as_reference).cell.set_train(False)
    with pynative():
        decoded = detector.model(*normalised_batch(golden_images(golden["meta"])))["decoded"]
    rows = {key: golden[key] for key in ("pred_logits/noise", "pred_boxes/noise", "pred_boxes")}
    rows["pred_logits"] = golden["pred_logits"][..., IDS]
    check(rows, "pred_logits", decoded["logits"][-1].asnumpy())
    check(rows, "pred_boxes", decoded["boxes"][-1].asnumpy())
