"""Sparse DETR's released checkpoints: names, classes, settings; the heads of encoder layers too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from family_cases import small_family_config
from golden_data import manifest, weights_from_manifest
from sparse_golden import our_names

from focus_detr.config.loading import load_config
from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.models.factory import build_model
from focus_detr.weights.checkpoint import load_checkpoint, model_tensors, save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    checkpoint_from_torch,
    detector_to_ours,
    detector_to_torch,
)
from focus_detr.weights.model_settings import infer_model
from focus_detr.weights.stored_settings import stored_model
from focus_detr.weights.torch_writer import write_state_dict

CASCADE = "model.encoder.cascade=[1,1]"
IDS = list(COCO_CLASSES.category_ids)


def test_every_tensor_has_a_name_of_its_own_without_foreign_words() -> None:
    names = our_names()
    assert len(names) == len(set(names.values())) == manifest("sparse_r50")["num_entries_unique"]
    foreign = ("transformer", "embed.", "self_attn", "cross_attn", "input_proj", ".body.", "enc_")
    assert not [name for name in names.values() if any(word in name for word in foreign)]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("backbone.0.body.layer2.0.downsample.1.weight", "backbone.res3.0.shortcut.norm.weight"),
        ("transformer.decoder.layers.3.norm2.weight", "decoder.layers.3.norm1.gamma"),
        ("transformer.decoder.layers.3.norm1.bias", "decoder.layers.3.norm2.beta"),
        ("input_proj.3.1.weight", "neck.extra.norm.gamma"),
        ("class_embed.6.weight", "class_heads.6.weight"),
        ("class_embed.7.weight", "encoder_heads.class_heads.0.weight"),
        ("bbox_embed.11.layers.2.bias", "encoder_heads.box_heads.4.layers.2.bias"),
        ("transformer.pos_trans_norm.weight", "queries.norm.gamma"),
    ],
)
def test_single_names(name: str, ours: str) -> None:
    assert our_names()[name] == ours


def test_a_release_becomes_the_network_of_the_recipe(tmp_path: Path) -> None:
    state = weights_from_manifest(manifest("sparse_r50"), seed=0)
    counter = {"transformer.encoder.total_ops": np.zeros(1)}
    write_state_dict(tmp_path / "release.pth", state | counter)
    tensors, metadata, excused = checkpoint_from_torch(tmp_path / "release.pth", Choices())
    assert not excused
    save_checkpoint(tmp_path / "ours.safetensors", tensors, metadata)
    found = stored_model(load_checkpoint(tmp_path / "ours.safetensors").metadata, "ours")
    recipe = load_config("family/sparse_detr_r50_50ep").model
    assert found is not None
    shown = ("foreground_selector", "queries", "logit_epsilon", "label_rows", "max_detections")
    for part in shown:
        assert getattr(found, part) == getattr(recipe, part)
    assert (found.encoder.cascade, found.encoder.value) == ((1.0,) * 6, "memory")
    assert found.encoder.auxiliary_heads and found.decoder.queries == 300
    for number, ours in ((6, "class_heads.6"), (9, "encoder_heads.class_heads.2")):
        rows = state[f"class_embed.{number}.weight"][IDS]
        np.testing.assert_array_equal(tensors[f"{ours}.weight"], rows)


def test_all_names_of_the_release_come_back() -> None:
    state = weights_from_manifest(manifest("sparse_r50"), seed=0)
    again = detector_to_torch(detector_to_ours(state))
    assert again.keys() == state.keys()
    unused = np.setdiff1d(np.arange(91), IDS)
    for name, tensor in state.items():
        assert again[name].shape == tensor.shape
        if "class_embed" in name:
            np.testing.assert_array_equal(again[name][IDS], tensor[IDS], err_msg=name)
            probable = again[name][unused].max()  # of a category id that no class has
            assert probable == (-20.0 if name.endswith("bias") else 0.0)
        else:
            np.testing.assert_array_equal(again[name], tensor, err_msg=name)
    for name, entry in manifest("sparse_r50")["state_dict"].items():
        assert again[name] is again[entry["canonical"]]


@pytest.mark.parametrize(
    "recipe",
    [
        "efficient_detr_r50_50ep",
        "sparse_detr_dual_r50_50ep",
        "dino_sparse_r50_36ep",
        "dn_deformable_detr_sparse_r50_50ep",
        "deformable_detr_sparse_dual_r50_50ep",
    ],
)
@pytest.mark.parametrize("classes", [80, 3])
def test_a_network_there_and_back_is_the_same(recipe: str, classes: int) -> None:
    tensors = model_tensors(build_model(small_family_config(recipe, CASCADE).model, classes))
    state = detector_to_torch(tensors)
    foreign = [name for name in state if name.startswith(("encoder_heads.", "queries."))]
    assert not foreign
    again = detector_to_ours(state)
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(again[name], tensor, err_msg=name)


@pytest.mark.parametrize(
    ("recipe", "head"),
    [
        ("deformable_detr_sparse_dual_r50_50ep", "encoder"),  # its layers have heads of their own
        ("dn_deformable_detr_sparse_dual_r50_50ep", "encoder"),
        ("dino_sparse_dual_r50_36ep", "encoder"),
        ("dn_deformable_detr_focus_r50_50ep", "decoder_layer"),
        ("deformable_detr_refine_r50_50ep", "encoder"),  # of no use
    ],
)
def test_whose_class_head_the_dual_attention_shares_is_that_of_the_recipe(
    recipe: str, head: str
) -> None:
    model = small_family_config(recipe, CASCADE).model
    found = infer_model(model_tensors(build_model(model, 3)), model.position)
    assert found.encoder.category_head == model.encoder.category_head == head
    assert found.encoder.dual_attention == model.encoder.dual_attention
