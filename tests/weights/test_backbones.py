"""Backbones of other projects get our names; their classifiers are dropped."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from focus_detr.config.schema import BackboneConfig
from focus_detr.errors import FocusDetrError
from focus_detr.weights.backbones import backbone_to_ours, backbone_to_torch
from focus_detr.weights.convert import Choices, backbone_shapes, checkpoint_from_torch, fit
from focus_detr.weights.model_settings import infer_backbone
from focus_detr.weights.torch_reader import read_state_dict

NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
CHANNELS = {"resnet18": (64, 128, 256, 512), "resnet50": (256, 512, 1024, 2048)}
CHANNELS["resnet101"] = CHANNELS["resnet50"]
DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
LITE_BLOCKS = 16


def _conv(conv: str, norm: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    # zero strides: shapes without the memory
    tensors = {f"{conv}.weight": np.broadcast_to(np.float32(1), shape)}
    for part in NORM_PARTS:
        tensors[f"{norm}.{part}"] = np.broadcast_to(np.float32(1), shape[:1])
    return {**tensors, f"{norm}.num_batches_tracked": np.array(0)}


def _torchvision(name: str) -> dict[str, np.ndarray]:
    """A state dict with the names and shapes of torchvision's ResNets."""
    state = _conv("conv1", "bn1", (64, 3, 7, 7))
    inputs = 64
    for stage, (outputs, depth) in enumerate(zip(CHANNELS[name], DEPTHS[name], strict=True), 1):
        width = outputs if name == "resnet18" else outputs // 4
        for block in range(depth):
            here = f"layer{stage}.{block}"
            shapes = (
                [(width, inputs, 3, 3), (width, width, 3, 3)]
                if name == "resnet18"
                else [(width, inputs, 1, 1), (width, width, 3, 3), (outputs, width, 1, 1)]
            )
            for number, shape in enumerate(shapes, 1):
                state |= _conv(f"{here}.conv{number}", f"{here}.bn{number}", shape)
            if block == 0 and (stage > 1 or inputs != outputs):
                shape = (outputs, inputs, 1, 1)
                state |= _conv(f"{here}.downsample.0", f"{here}.downsample.1", shape)
            inputs = outputs
    state["fc.weight"] = np.zeros((1000, inputs), np.float32)
    state["fc.bias"] = np.zeros(1000, np.float32)
    return state


def _efficientnet() -> dict[str, np.ndarray]:
    """A state dict with the names of EfficientNet-Lite0 and small shapes."""
    state = _conv("_conv_stem", "_bn0", (4, 3, 3, 3))
    for block in range(LITE_BLOCKS):
        here = f"_blocks.{block}"
        if block:
            state |= _conv(f"{here}._expand_conv", f"{here}._bn0", (8, 4, 1, 1))
        state |= _conv(f"{here}._depthwise_conv", f"{here}._bn1", (8, 1, 3, 3))
        state |= _conv(f"{here}._project_conv", f"{here}._bn2", (4, 8, 1, 1))
    state |= _conv("_conv_head", "_bn1", (16, 4, 1, 1))
    return {**state, "_fc.weight": np.zeros((10, 16)), "_fc.bias": np.zeros(10)}


@pytest.mark.parametrize("name", DEPTHS)
def test_torchvision_resnets_fit_the_network(name: str) -> None:
    tensors = backbone_to_ours(_torchvision(name))
    config = infer_backbone(tensors)
    assert config == BackboneConfig(name)
    fitting, excused = fit(tensors, backbone_shapes(config))
    assert not excused
    assert len(fitting) == len(tensors)


def test_norms_and_shortcuts_go_where_they_belong() -> None:
    state = _torchvision("resnet50")
    for value, name in enumerate(state):
        state[name] = np.full_like(state[name], value)
    tensors = backbone_to_ours(state)
    pairs = {
        "bn1.running_var": "stem.conv1.norm.running_var",
        "layer1.0.bn3.weight": "res2.0.conv3.norm.weight",
        "layer4.0.downsample.0.weight": "res5.0.shortcut.weight",
        "layer4.0.downsample.1.bias": "res5.0.shortcut.norm.bias",
        "layer3.5.conv2.weight": "res4.5.conv2.weight",
    }
    for torch_name, ours in pairs.items():
        np.testing.assert_array_equal(tensors[f"backbone.{ours}"], state[torch_name])


@pytest.mark.parametrize("prefix", ["", "backbone.", "backbone.bottom_up."])
def test_detectron2_names_stay(prefix: str) -> None:
    ours = backbone_to_ours(_torchvision("resnet50"))
    state = {prefix + name.removeprefix("backbone."): value for name, value in ours.items()}
    state[f"{prefix}stem.fc.weight"] = np.zeros((1000, 2048), np.float32)
    assert backbone_to_ours(state).keys() == ours.keys()


def test_detectron2_s_pickles_are_read(tmp_path: Path) -> None:
    """Arrays by detectron2's names, with the counters that come along from torchvision."""
    state = {name: np.array(values.shape) for name, values in _torchvision("resnet101").items()}
    renamed = {name.removeprefix("backbone."): v for name, v in backbone_to_ours(state).items()}
    renamed["stem.conv1.norm.num_batches_tracked"] = np.array(0)
    renamed["stem.fc.bias"] = np.zeros(1000, np.float32)
    content = {"model": renamed, "__author__": "torchvision", "matching_heuristics": True}
    path = tmp_path / "r101_v1.pkl"
    path.write_bytes(pickle.dumps(content))
    assert backbone_to_ours(read_state_dict(path)).keys() == backbone_to_ours(state).keys()


def test_efficientnet_blocks_have_the_network_s_names() -> None:
    tensors = backbone_to_ours(_efficientnet())
    assert infer_backbone(tensors).name == "efficientnet_lite0"
    assert tensors.keys() == backbone_shapes(BackboneConfig("efficientnet_lite0")).keys()
    assert tensors["backbone.blocks.1.depthwise.weight"].shape == (8, 1, 3, 3)


def _is_converted(name: str) -> bool:
    classifier = ("fc.", "_fc.", "_conv_head.", "_bn1.")
    return not name.startswith(classifier) and not name.endswith("num_batches_tracked")


@pytest.mark.parametrize("name", [*DEPTHS, "efficientnet_lite0"])
def test_the_way_back_is_bit_equal_but_for_the_classifier(name: str) -> None:
    state = _efficientnet() if name == "efficientnet_lite0" else _torchvision(name)
    numbers = np.random.default_rng(0).standard_normal(len(state)).astype(np.float32)
    for number, (key, values) in zip(numbers, state.items(), strict=True):
        state[key] = np.broadcast_to(number, values.shape)
    expected = {key: values for key, values in state.items() if _is_converted(key)}
    back = backbone_to_torch(backbone_to_ours(state))
    assert back.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_array_equal(back[key], values, strict=True)


def test_only_a_backbone_goes_back() -> None:
    tensors = {**backbone_to_ours(_torchvision("resnet18")), "level_embed": np.zeros(3)}
    assert "level_embed" not in backbone_to_torch(tensors)
    with pytest.raises(FocusDetrError, match="no backbone that torch names are known for"):
        backbone_to_torch({"level_embed": np.zeros(3)})


def test_unknown_tensors_are_kept_to_be_reported() -> None:
    state = {**_torchvision("resnet18"), "layer1.0.attention.weight": np.zeros(3)}
    tensors = backbone_to_ours(state)
    with pytest.raises(FocusDetrError, match=r"unexpected  backbone\.layer1\.0\.attention\.weight"):
        fit(tensors, backbone_shapes(BackboneConfig("resnet18")), label="r18.pth")


def test_foreign_backbones_are_refused() -> None:
    with pytest.raises(FocusDetrError, match="no known backbone"):
        backbone_to_ours({"patch_embed.proj.weight": np.zeros(1)})
    with pytest.raises(FocusDetrError, match="Caffe2"):
        backbone_to_ours({"res2_0_branch2a_w": np.zeros(1)})


def test_msra_s_pickles_are_refused(tmp_path: Path) -> None:
    """As detectron2 stores them: Caffe2's names, four vectors to a norm."""
    names = ["conv1_w", "conv1_b", "fc1000_w", "fc1000_b", "res2_0_branch2a_w"]
    names += [f"res2_0_branch2a_bn_{p}" for p in ("beta", "gamma", "running_mean", "running_var")]
    path = tmp_path / "R-101.pkl"
    path.write_bytes(pickle.dumps({name: np.zeros(4, np.float32) for name in names}))
    with pytest.raises(FocusDetrError, match=r"Caffe2's names.*MSRA.*torchvision's"):
        checkpoint_from_torch(path, Choices())


@pytest.mark.parametrize("prefix", ["", "backbone.bottom_up."])
@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_msra_s_weights_under_detectron2_s_names_are_told_by_their_scale(
    name: str, prefix: str
) -> None:
    ours = backbone_to_ours(_torchvision(name))
    state = {prefix + key.removeprefix("backbone."): value for key, value in ours.items()}
    variance = f"{prefix}stem.conv1.norm.running_var"
    for usual in (0.02, 1.0, 30.0):
        state[variance] = np.full(64, usual, np.float32)
        assert backbone_to_ours(state).keys() == ours.keys()
    state[variance] = np.full(64, 58.0**2, np.float32)
    with pytest.raises(FocusDetrError, match=r"variance of 3364, as of MSRA's.*BGR"):
        backbone_to_ours(state)
