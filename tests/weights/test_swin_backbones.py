"""ImageNet's Swin Transformers in the layouts that they are published in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from golden_data import manifest, weights_from_manifest
from mindspore import Tensor

from focus_detr.config.schema import BackboneConfig, ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.models.backbones.windows import distance_index
from focus_detr.models.factory import build_backbone, build_model
from focus_detr.training.fine_tune import load_backbone
from focus_detr.weights.backbones import backbone_to_ours, backbone_to_torch
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    backbone_shapes,
    checkpoint_from_torch,
    detector_to_ours,
    detector_to_torch,
    fit,
)
from focus_detr.weights.model_settings import infer_backbone
from focus_detr.weights.torch_writer import write_state_dict

State = dict[str, np.ndarray]
CLASSIFIER = ("norm.weight", "norm.bias", "head.weight", "head.bias")
MASKS = ("layers.0.blocks.1", "layers.1.blocks.1", "layers.2.blocks.1")
SMALL = BackboneConfig("swin_tiny", width_factor=0.25, depths=(2, 2, 2, 2), freeze_at=0)


def microsoft(name: str = "swin_tiny", config: str = "swin_tiny") -> State:
    """A state dict with the names and shapes of Microsoft's files, filled with numbers."""
    prefix, entries = "backbone.", manifest(config)["state_dict"]
    state = {
        key.removeprefix(prefix): np.broadcast_to(np.float32(place), entry["shape"])
        for place, (key, entry) in enumerate(entries.items())
        if key.startswith(prefix)
        and not key.startswith(tuple(f"{prefix}norm{i}" for i in (1, 2, 3)))
    }
    width = len(state["patch_embed.norm.weight"]) * 8
    for key in CLASSIFIER:
        state[key] = np.zeros((1000, width) if key == "head.weight" else width, np.float32)
    for block in MASKS:
        state[f"{block}.attn_mask"] = np.zeros((4, 49, 49), np.float32)
    return state


def timm(state: State) -> State:
    """Merging at the beginning of the next stage, no buffers."""
    renamed = {}
    for name, tensor in state.items():
        for stage in range(3):
            before, behind = f"layers.{stage}.downsample.", f"layers.{stage + 1}.downsample."
            if name.startswith(before):
                name = behind + name.removeprefix(before)
                break
        if not name.endswith(("attn_mask", "relative_position_index")):
            renamed[name.replace("head.", "head.fc.")] = tensor
    return renamed


def torchvision(state: State) -> State:
    """A list of features; indices are flat."""
    renamed = {}
    for name, tensor in state.items():
        if name.endswith("attn_mask"):
            continue
        parts = name.split(".")
        if parts[0] == "patch_embed":
            parts[:2] = ["features", "0", "0" if parts[1] == "proj" else "2"]
        elif parts[0] == "layers" and parts[2] == "downsample":
            parts[:3] = ["features", str(2 * int(parts[1]) + 2)]
        elif parts[0] == "layers":
            parts[:3] = ["features", str(2 * int(parts[1]) + 1)]
            parts[3:5] = {("mlp", "fc1"): ["mlp", "0"], ("mlp", "fc2"): ["mlp", "3"]}.get(
                (parts[3], parts[4]), parts[3:5]
            )
        flat = name.endswith("relative_position_index")
        renamed[".".join(parts)] = tensor.reshape(-1) if flat else tensor
    return renamed


def mmdetection(state: State) -> State:
    """A detector's backbone: windows in a module of their own; merging's inputs by channel."""
    words = {
        "layers.": "stages.",
        "patch_embed.proj.": "patch_embed.projection.",
        ".attn.": ".attn.w_msa.",
        ".mlp.fc1.": ".ffn.layers.0.0.",
        ".mlp.fc2.": ".ffn.layers.1.",
    }
    renamed = {}
    for name, tensor in state.items():
        if name.endswith("attn_mask") or name.startswith("head."):  # that is not below the prefix
            continue
        if ".downsample." in name:
            split = tensor.reshape(*tensor.shape[:-1], 4, -1)[..., [0, 2, 1, 3], :]
            tensor = np.swapaxes(split, -1, -2).reshape(tensor.shape)
        for ours, theirs in words.items():
            name = name.replace(ours, theirs)
        if name.startswith("norm."):  # of a classifier: that of its last stage
            name = f"norm3.{name.removeprefix('norm.')}"
        renamed[f"backbone.{name}"] = tensor
    return renamed


def transformers(state: State) -> State:
    """Queries, keys and values apart."""
    words = {
        "layers.": "encoder.layers.",
        ".norm1.": ".layernorm_before.",
        ".norm2.": ".layernorm_after.",
        ".attn.proj.": ".attention.output.dense.",
        ".attn.": ".attention.self.",
        ".mlp.fc1.": ".intermediate.dense.",
        ".mlp.fc2.": ".output.dense.",
        "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
        "patch_embed.norm.": "embeddings.norm.",
    }
    renamed = {}
    for name, tensor in state.items():
        if name.endswith("attn_mask"):
            continue
        if name.startswith("norm."):
            name = f"layernorm.{name.removeprefix('norm.')}"
        for ours, theirs in words.items():
            name = name.replace(ours, theirs)
        if ".qkv." not in name:
            renamed[f"swin.{name}"] = tensor
            continue
        for word, part in zip(("query", "key", "value"), np.split(tensor, 3), strict=True):
            renamed[f"swin.{name.replace('qkv', word)}"] = part
    head = {f"classifier.{part}": renamed.pop(f"swin.head.{part}") for part in ("weight", "bias")}
    return renamed | head


LAYOUTS = [microsoft, timm, torchvision, mmdetection, transformers]


@pytest.mark.parametrize("published", LAYOUTS, ids=lambda f: f.__name__)
def test_all_layouts_give_the_same_tensors(published: object) -> None:
    state, rng = microsoft(), np.random.default_rng(0)
    for name in state:  # of which parts are joined or change their order
        if "layers.0." in name and name.split(".")[-2] in ("reduction", "norm", "qkv"):
            state[name] = rng.normal(size=state[name].shape).astype(np.float32)
    expected = backbone_to_ours(state)
    found = backbone_to_ours(state if published is microsoft else published(state))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)
    assert infer_backbone(found) == BackboneConfig("swin_tiny", freeze_at=0)
    fitting, excused = fit(found, backbone_shapes(BackboneConfig("swin_tiny")))
    assert not excused and len(fitting) == 175


@pytest.mark.parametrize(
    ("name", "config", "window", "loaded"),
    [("swin_base", "swin_base_384", 12, 325), ("swin_large", "swin_large_384", 12, 325)],
)
def test_larger_ones_fit(name: str, config: str, window: int, loaded: int) -> None:
    tensors = backbone_to_ours(microsoft(name, config))
    assert infer_backbone(tensors) == BackboneConfig(name, freeze_at=0, window=window)
    assert len(tensors) == loaded + 6


def test_mmdetection_s_merging_joins_the_same_neighbours() -> None:
    """Its neighbours of a channel lie together, row by row."""
    rng, channels = np.random.default_rng(0), 5
    weight, image = rng.normal(size=(3, 4 * channels)), rng.normal(size=(4, 6, channels))
    windows = image.reshape(2, 2, 3, 2, channels).transpose(0, 2, 4, 1, 3)  # [2, 3, C, row, column]
    theirs = windows.reshape(2, 3, -1) @ weight.T
    state = mmdetection(microsoft()) | {"backbone.stages.0.downsample.reduction.weight": weight}
    ours = backbone_to_ours(state)["backbone.layers.0.downsample.reduction.weight"]
    by_offset = [image[row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))]
    np.testing.assert_allclose(np.concatenate(by_offset, -1) @ ours.T, theirs, atol=1e-12)


def test_a_detector_s_output_norms_are_kept() -> None:
    norms = {f"backbone.norm{i}.weight": np.full(96 * 2**i, 7.0, np.float32) for i in (1, 2, 3)}
    found = backbone_to_ours(mmdetection(microsoft()) | norms)
    assert all((found[f"backbone.norm{i}.gamma"] == 7).all() for i in (1, 2, 3))


def test_what_lacks_of_a_query_is_listed() -> None:
    state = transformers(microsoft())
    del state["swin.encoder.layers.1.blocks.0.attention.self.key.weight"]
    tensors = backbone_to_ours(state)
    with pytest.raises(FocusDetrError, match=r"missing +backbone\.layers\.1\.blocks\.0\.attn\.qkv"):
        fit(tensors, backbone_shapes(BackboneConfig("swin_tiny")))


def test_exactly_six_are_missing_and_the_rest_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tensors = backbone_to_ours(microsoft())
    missing, unused = caplog.records[0].getMessage().split("; not used: ")
    norms = [f"backbone.norm{i}.{part}" for i in (1, 2, 3) for part in ("gamma", "beta")]
    assert missing == f"missing, so they start at 1 and 0: {', '.join(norms)}"
    assert unused.split(", ") == [*CLASSIFIER, *(f"{block}.attn_mask" for block in MASKS)]
    for index, width in enumerate((192, 384, 768), 1):
        np.testing.assert_array_equal(tensors[f"backbone.norm{index}.gamma"], np.ones(width))
        np.testing.assert_array_equal(tensors[f"backbone.norm{index}.beta"], np.zeros(width))


def test_the_classifier_s_norm_does_not_become_an_output_s() -> None:
    state = microsoft() | {"norm.weight": np.full(768, 7.0, np.float32)}
    assert (backbone_to_ours(state)["backbone.norm3.gamma"] == 1).all()


def test_swin_v2_is_refused(tmp_path: Path) -> None:
    state = microsoft() | {"layers.0.blocks.0.attn.logit_scale": np.zeros((3, 1, 1), np.float32)}
    write_state_dict(tmp_path / "v2.pth", state)
    with pytest.raises(FocusDetrError, match=r"unexpected  backbone\.layers\.0.*logit_scale"):
        checkpoint_from_torch(tmp_path / "v2.pth", Choices())


def test_the_way_back_is_microsoft_s_with_index_buffers() -> None:
    state = microsoft()
    back = backbone_to_torch(backbone_to_ours(state))
    added = {f"norm{i}.{part}" for i in (1, 2, 3) for part in ("weight", "bias")}
    assert back.keys() - added == {
        name for name in state if name not in CLASSIFIER and not name.endswith("attn_mask")
    }
    index = back["layers.3.blocks.1.attn.relative_position_index"]
    np.testing.assert_array_equal(index, distance_index(7).astype(np.int64), strict=True)


@pytest.mark.parametrize("config", ["r101", "swin_tiny", "swin_base_384"])
def test_whole_detectors_come_back_to_the_bit(config: str) -> None:
    golden = weights_from_manifest(manifest(config), seed=0)
    back = detector_to_torch(detector_to_ours(golden))
    assert back.keys() == manifest(config)["state_dict"].keys()
    for name, values in golden.items():
        assert back[name].tobytes() == values.tobytes(), name


def test_another_window_is_interpolated_on_loading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = build_backbone(SMALL)
    for parameter in stored.get_parameters():
        parameter.set_data(Tensor(np.full(parameter.shape, 0.5, np.float32)))
    tensors = {f"backbone.{name}": values for name, values in model_tensors(stored).items()}
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, tensors, {})
    other = BackboneConfig("swin_tiny", width_factor=0.25, depths=(2, 2, 2, 2), window=4)
    settings = ModelConfig(backbone=other)
    model = build_model(settings, 3)
    load_backbone(path, model, settings)
    table = model.backbone.layers[0].blocks[0].attn.relative_position_bias_table
    np.testing.assert_allclose(table.asnumpy(), np.full((49, 3), 0.5), atol=1e-6)
    assert "trained with windows of 7 cells a side, the model has 4" in caplog.text
