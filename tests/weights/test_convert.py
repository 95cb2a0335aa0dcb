"""Golden weights go from torch to ours and back to the bit; misfits are listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from golden_data import manifest, weights_from_manifest
from script_module import load_script

from focus_detr.config.loading import dump_yaml
from focus_detr.config.schema import (
    BackboneConfig,
    Config,
    DataConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
)
from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.errors import FocusDetrError
from focus_detr.inference.loading import load_detector
from focus_detr.models.factory import build_model
from focus_detr.weights.checkpoint import load_checkpoint, load_into, model_tensors, save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    checkpoint_from_torch,
    describe_detector,
    detector_to_ours,
    detector_to_torch,
    fit,
    is_detector,
    model_shapes,
)
from focus_detr.weights.torch_reader import read_state_dict
from focus_detr.weights.torch_writer import write_state_dict

SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_weights.py"
SMALL = ModelConfig(
    num_classes=3,
    width=32,
    backbone=BackboneConfig("resnet18", width_factor=0.25),
    encoder=EncoderConfig(ffn_width=32),
    decoder=DecoderConfig(layers=2, ffn_width=32, queries=9),
)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return weights_from_manifest(manifest("r50"), seed=0)


@pytest.fixture(scope="module")
def small_state() -> dict[str, np.ndarray]:
    """The small model's weights as a torch state dict, aliases included."""
    return detector_to_torch(model_tensors(build_model(SMALL, 3)))


def _assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype and found[name].shape == values.shape, name
        assert found[name].tobytes() == values.tobytes(), name


def test_golden_weights_come_back_to_the_bit(tmp_path: Path, golden: dict[str, np.ndarray]) -> None:
    write_state_dict(tmp_path / "a.pth", golden)
    tensors, metadata, excused = checkpoint_from_torch(tmp_path / "a.pth", Choices())
    assert not excused
    assert len(tensors) == 625
    save_checkpoint(tmp_path / "a.safetensors", tensors, metadata)
    again = load_checkpoint(tmp_path / "a.safetensors")
    write_state_dict(tmp_path / "b.pth", detector_to_torch(again.tensors))
    _assert_same_bits(read_state_dict(tmp_path / "b.pth"), golden)
    assert again.metadata["class_names"] == list(COCO_CLASSES.names)
    assert again.metadata["model"]["decoder"]["queries"] == 900
    assert again.metadata["source"].startswith("a.pth, sha256 ")


def test_converted_weights_land_in_the_model(
    tmp_path: Path, small_state: dict[str, np.ndarray]
) -> None:
    shifted = {name: values + 1 for name, values in small_state.items()}
    write_state_dict(tmp_path / "a.pth", shifted)
    tensors, metadata, _ = checkpoint_from_torch(tmp_path / "a.pth", Choices())
    save_checkpoint(tmp_path / "a.safetensors", tensors, metadata)
    model = build_model(SMALL, 3, seed=1)
    load_into(model, load_checkpoint(tmp_path / "a.safetensors"))
    _assert_same_bits(detector_to_torch(model_tensors(model)), shifted)


def test_aliases_alone_are_enough(small_state: dict[str, np.ndarray]) -> None:
    short = ("class_embed.", "bbox_embed.", "enhance_MCSP_layerlist.")
    aliased = {name: value for name, value in small_state.items() if not name.startswith(short)}
    _assert_same_bits(detector_to_ours(aliased), detector_to_ours(small_state))


def test_aliases_that_differ_are_refused(small_state: dict[str, np.ndarray]) -> None:
    name = "enhance_MCSP_layerlist.1.bias"
    state = {**small_state, name: small_state[name] + 1}
    with pytest.raises(FocusDetrError, match=r"should be one tensor, but their values differ"):
        detector_to_ours(state)


def test_counters_and_optimiser_tensors_are_left_out(small_state: dict[str, np.ndarray]) -> None:
    state = {**small_state, "pixel_mean": np.zeros(3)}
    assert "pixel_mean" not in detector_to_ours(state)
    ours = {**detector_to_ours(small_state), "optimizer.moment1.level_embed": np.zeros(1)}
    assert detector_to_torch(ours).keys() == small_state.keys()


def test_misfits_are_listed_unless_skipped(small_state: dict[str, np.ndarray]) -> None:
    tensors = detector_to_ours(small_state)
    del tensors["level_embed"]
    tensors["decoder.norm.gamma"] = np.zeros(7, np.float32)
    tensors["novelty"] = np.zeros(1, np.float32)
    with pytest.raises(FocusDetrError) as caught:
        fit(tensors, model_shapes(SMALL), label="a.pth")
    assert str(caught.value).splitlines() == [
        "a.pth does not fit the model: 1 missing, 1 unexpected and 1 misshapen tensor",
        "  missing     level_embed",
        "  unexpected  novelty",
        "  misshapen   decoder.norm.gamma: [7] instead of [32]",
    ]
    skip = ["^level_embed$", "^novelty$", r"^decoder\.norm"]
    fitting, excused = fit(tensors, model_shapes(SMALL), skip)
    assert excused.unexpected == ("novelty",)
    assert tensors.keys() - fitting.keys() == {"novelty", "decoder.norm.gamma"}


def test_given_settings_overrule_the_tensors(
    tmp_path: Path, small_state: dict[str, np.ndarray]
) -> None:
    write_state_dict(tmp_path / "a.pth", small_state)
    with pytest.raises(FocusDetrError, match="misshapen"):
        checkpoint_from_torch(tmp_path / "a.pth", Choices(model=ModelConfig(width=64)))
    whole = Choices(model=SMALL, class_names=["a", "b", "c"])
    _, metadata, _ = checkpoint_from_torch(tmp_path / "a.pth", whole)
    assert (metadata["class_names"], metadata["category_ids"]) == (["a", "b", "c"], [1, 2, 3])


def test_backbone_of_a_detector_can_be_taken_alone(
    tmp_path: Path, small_state: dict[str, np.ndarray]
) -> None:
    write_state_dict(tmp_path / "a.pth", small_state)
    tensors, metadata, _ = checkpoint_from_torch(tmp_path / "a.pth", Choices(kind="backbone"))
    assert tensors.keys() == {name for name in small_state if name.startswith("backbone.")}
    assert is_detector(small_state) and not is_detector(tensors)
    assert metadata["class_names"] == []


def test_metadata_names_the_classes() -> None:
    unnamed = describe_detector(SMALL, None, "x")
    assert unnamed["class_names"] == ["class 1", "class 2", "class 3"]
    with pytest.raises(FocusDetrError, match="got 2 class names, the checkpoint has 3"):
        describe_detector(SMALL, ["a", "b"], "x")


def test_coco_has_80_classes_with_gaps_in_the_ids() -> None:
    ids = dict(zip(COCO_CLASSES.names, COCO_CLASSES.category_ids, strict=True))
    assert len(ids) == 80
    known = {"person": 1, "stop sign": 13, "backpack": 27, "toilet": 70, "toothbrush": 90}
    assert {name: ids[name] for name in known} == known


def _command() -> Callable[[list[str]], int]:
    return load_script(SCRIPT).main


def test_command_converts_both_ways_and_refuses_in_one_sentence(
    tmp_path: Path, small_state: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    main = _command()
    source, ours, back = (str(tmp_path / name) for name in ("a.pth", "a.safetensors", "b.pth"))
    write_state_dict(source, small_state)
    choices = ["--recipe", "r50_24ep", "--class-names", "cat", "dog", "emu"]
    assert main([source, ours, *choices]) == 0
    said = capsys.readouterr()
    assert "3 classes, backbone resnet18" in said.out
    assert "temperature 20 and offset 0" in said.out
    assert said.err == ""
    stored = load_checkpoint(ours).metadata
    assert stored["model"]["position"] == {"temperature": 20.0, "offset": 0.0}
    assert stored["class_names"] == ["cat", "dog", "emu"]
    assert main([ours, back, "--to", "torch"]) == 0
    _assert_same_bits(read_state_dict(back), small_state)

    capsys.readouterr()
    missing = str(tmp_path / "nope.pth")
    assert main([missing, ours]) == 2
    assert capsys.readouterr().err == f"error: there is no checkpoint {missing}\n"


def test_command_takes_a_backbone_both_ways(
    tmp_path: Path, small_state: dict[str, np.ndarray]
) -> None:
    main = _command()
    detector, backbone, again = (str(tmp_path / name) for name in ("a", "b", "c"))
    alone, out_of_detector = str(tmp_path / "alone.pth"), str(tmp_path / "inner.pth")
    write_state_dict(str(tmp_path / "a.pth"), small_state)
    assert main([str(tmp_path / "a.pth"), detector, "--recipe", "r50_12ep"]) == 0
    assert main([detector, out_of_detector, "--to", "torch", "--kind", "backbone"]) == 0
    assert main([out_of_detector, backbone]) == 0
    assert main([backbone, alone, "--to", "torch"]) == 0
    assert Path(alone).read_bytes() == Path(out_of_detector).read_bytes()
    assert main([alone, again]) == 0
    _assert_same_bits(load_checkpoint(again).tensors, load_checkpoint(backbone).tensors)
    names = read_state_dict(alone).keys()
    assert {"conv1.weight", "layer4.0.downsample.1.running_var"} < names


def test_command_keeps_the_test_size_of_given_settings(
    tmp_path: Path, small_state: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, ours, settings = (Path(name) for name in ("a.pth", "a.safetensors", "~/a.yaml"))
    settings.parent.mkdir()
    write_state_dict(source, small_state)
    config = Config(model=SMALL, data=DataConfig(test_short_side=240, test_max_side=320))
    settings.write_text(dump_yaml(config))
    expected = {"--recipe=r50_12ep": (800, 1333), "--config=./~/a.yaml": (240, 320)}
    for choice, size in expected.items():
        assert _command()([str(source), str(ours), choice]) == 0
        data = load_detector(ours).data
        assert (data.test_short_side, data.test_max_side) == size


def test_command_says_which_recipe_it_assumed(
    tmp_path: Path, small_state: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    main = _command()
    source, ours = str(tmp_path / "a.pth"), str(tmp_path / "a.safetensors")
    write_state_dict(source, small_state)
    assert main([source, ours]) == 0
    said = capsys.readouterr()
    assert "temperature 10000 and offset -0.5" in said.out
    assert "no --recipe was given, so r50_12ep is assumed" in said.err
    assert main([source, ours, "--kind", "backbone"]) == 0
    assert capsys.readouterr().err == ""
