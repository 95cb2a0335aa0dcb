"""Settings from files and overrides, and what a user is told about a mistake."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.config.loading import (
    config_from_dict,
    dump_yaml,
    load_config,
    to_dict,
)
from focus_detr.config.schema import BackboneConfig, Config, ParameterGroup
from focus_detr.config.values import full_keys
from focus_detr.errors import FocusDetrError

CONFIG_DIR = Path(__file__).parents[2] / "config"
SHIPPED = sorted(CONFIG_DIR.rglob("*.yaml"))


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _keys(plain: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in plain.items():
        inner = _keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
        keys += inner
    return keys


def test_without_a_file_the_defaults_hold() -> None:
    assert load_config(None) == Config()


def test_base_yaml_names_every_setting_once_with_its_default() -> None:
    plain = yaml.safe_load((CONFIG_DIR / "base.yaml").read_text())
    assert _keys(plain) == list(full_keys(Config))  # the loader refuses a key written twice
    assert load_config(CONFIG_DIR / "base.yaml") == Config()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_loads(path: Path) -> None:
    load_config(path)


def test_ablations_differ_from_the_recipe_and_from_each_other() -> None:
    recipe = load_config(CONFIG_DIR / "focus_detr_r50.yaml")
    models = [load_config(path).model for path in sorted((CONFIG_DIR / "ablations").glob("*"))]
    assert len({recipe.model, *models}) == len(models) + 1


@pytest.mark.parametrize(
    ("name", "position", "epochs", "drops", "warmup_steps"),
    [
        ("focus_detr_r50", (10000, -0.5), 12, [82_500], 0),
        ("focus_detr_r50_24ep", (20, 0), 24, [150_000], 0),
        ("focus_detr_r50_36ep", (20, 0), 36, [210_000, 250_000], 1000),
        ("focus_detr_r101", (10000, -0.5), 12, [82_500], 0),
        ("focus_detr_r101_24ep", (20, 0), 24, [150_000], 0),
        ("focus_detr_r101_36ep", (20, 0), 36, [210_000, 250_000], 1000),
        ("focus_detr_swin_tiny", (10000, -0.5), 12, [82_500], 0),
        ("focus_detr_swin_tiny_24ep", (10000, -0.5), 24, [150_000], 0),
        ("focus_detr_swin_tiny_36ep", (10000, -0.5), 36, [225_000], 0),
        ("focus_detr_swin_base_224_36ep", (10000, -0.5), 36, [225_000], 0),
        ("focus_detr_swin_base_384_36ep", (10000, -0.5), 36, [225_000], 0),
        ("focus_detr_swin_large_36ep", (10000, -0.5), 36, [225_000], 0),
    ],
)
def test_recipes_have_the_schedules_and_positions_of_the_published_weights(
    name: str, position: tuple[float, float], epochs: int, drops: list[int], warmup_steps: int
) -> None:
    config = load_config(CONFIG_DIR / f"{name}.yaml")
    assert (config.model.position.temperature, config.model.position.offset) == position
    schedule = config.train.schedule
    assert (schedule.epochs, schedule.warmup_steps, schedule.decay) == (epochs, warmup_steps, 0.1)
    iterations = [round(milestone * 7500) for milestone in schedule.milestones]
    assert iterations == pytest.approx(drops, abs=1)


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("r101", BackboneConfig("resnet101")),
        ("swin_tiny", BackboneConfig("swin_tiny", freeze_at=0, drop_path=0.1)),
        ("swin_base_224", BackboneConfig("swin_base", freeze_at=0, drop_path=0.2)),
        ("swin_base_384", BackboneConfig("swin_base", freeze_at=0, window=12, drop_path=0.2)),
        ("swin_large", BackboneConfig("swin_large", freeze_at=0, window=12, drop_path=0.2)),
    ],
)
@pytest.mark.parametrize("suffix", ["", "_24ep", "_36ep"])
def test_recipes_of_one_backbone_differ_in_their_schedule(
    name: str, backbone: BackboneConfig, suffix: str
) -> None:
    config = load_config(CONFIG_DIR / f"focus_detr_{name}{suffix}.yaml")
    weights = config.model.backbone.weights
    assert replace(config.model.backbone, weights=None) == backbone
    assert str(weights).startswith("data/") and str(weights).endswith(".safetensors")
    assert config.train.output_dir == f"runs/focus_detr_{name}{suffix}"
    usual = Config()
    assert config.train.optimizer == usual.train.optimizer
    assert config.data.filter_empty


def test_a_file_is_merged_over_its_bases_in_order(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    _write(tmp_path, "common/a.yaml", "train: {seed: 1, log_every: 7, batch_size: 3}")
    _write(tmp_path, "common/b.yaml", "base: a.yaml\ntrain: {seed: 2}")
    _write(tmp_path, "c.yaml", "train: {batch_size: 9}")
    top = _write(tmp_path, "d.yaml", "base: [common/b.yaml, c.yaml]\neval: {batch_size: 4}")
    config = load_config(top, ["eval.batch_size=5"])
    assert (config.train.seed, config.train.log_every) == (2, 7)
    assert (config.train.batch_size, config.eval.batch_size) == (9, 5)


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("train.optimizer.lr=1e-4", lambda c: c.train.optimizer.lr, 1e-4),
        ("train.optimizer.lr=1", lambda c: c.train.optimizer.lr, 1.0),
        ("train.schedule.milestones=[3, 5.5]", lambda c: c.train.schedule.milestones, (3.0, 5.5)),
        ("data.shape_buckets=[[64, 96]]", lambda c: c.data.shape_buckets, ((64, 96),)),
        ("model.backbone.depths=None", lambda c: c.model.backbone.depths, None),
        ("model.backbone.weights=null", lambda c: c.model.backbone.weights, None),
        ("train.output_dir=runs/a=b", lambda c: c.train.output_dir, "runs/a=b"),
        ("train={seed: 3}", lambda c: c.train.seed, 3),
        ("train.recompute=[encoder]", lambda c: c.train.recompute, ("encoder",)),
        (
            "train.optimizer.groups=[{pattern: a, lr_factor: 1}, {pattern: b}]",
            lambda c: c.train.optimizer.groups,
            (ParameterGroup("a", 1.0), ParameterGroup("b")),
        ),
    ],
)
def test_overrides_take_the_declared_type(override: str, read: Any, value: Any) -> None:
    got = read(load_config(None, [override]))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.optimzer.lr=1", ["train.optimzer", "output_dir", "did you mean train.optimizer?"]),
        ("lr=1", ["unknown setting lr", "did you mean train.optimizer.lr?"]),
        ("train.optimizer.lr=true", ["train.optimizer.lr is True", "a number"]),
        ("train.seed=1.5", ["train.seed is 1.5", "a whole number"]),
        ("train.seed=true", ["train.seed is True", "a whole number"]),
        ("data.flip=.nan", ["data.flip is nan", "a number"]),
        ("data.filter_empty=1", ["data.filter_empty is 1", "true or false"]),
        ("train.output_dir=3", ["train.output_dir is 3", "text"]),
        ("model.backbone.name=vgg", ["'vgg'", "one of resnet18, resnet34, resnet50"]),
        ("data.crop_sides=[1, 2, 3]", ["data.crop_sides", "a list of 2 items"]),
        ("model.encoder.cascade=1", ["model.encoder.cascade is 1", "a list, each item a number"]),
        ("model.backbone.depths=3", ["a list, each item a whole number or null"]),
        ("model=3", ["model is 3", "a mapping"]),
        ("train.recompute=[neck]", ["a list, each item one of backbone, encoder, decoder"]),
        ("train.optimizer.groups=[a]", ["each item a mapping of pattern, lr_factor, weight_decay"]),
        ("train.optimizer.groups=[{lr: 1}]", ["train.optimizer.groups is [{'lr': 1}], expected"]),
        ("train.seed", ["'train.seed'", "key=value"]),
        ("train.seed=[", ["not valid YAML"]),
        ("train.output_dir=2026-31-12", ["not valid YAML", "month must be in 1..12"]),
        (f"train.optimizer.lr=1{'0' * 400}", ["train.optimizer.lr is 1000", "a number"]),
    ],
)
def test_a_bad_override_is_named(override: str, words: list[str]) -> None:
    with pytest.raises(FocusDetrError) as caught:
        load_config(None, [override])
    assert [word for word in words if word not in str(caught.value)] == []
    assert override in str(caught.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            os.fsdecode(b"train.output_dir=runs/\xff"),
            "override 'train.output_dir': b'runs/\\xff' is not UTF-8 text",
        ),
        ("train.output_dir=\ud800", "override 'train.output_dir': '\\ud800' is not UTF-8 text"),
        (os.fsdecode(b"\xff.b=1"), "override '\\udcff.b': b'1' is not UTF-8 text"),
    ],
)
def test_bytes_that_are_no_text_are_shown(override: str, sentence: str) -> None:
    with pytest.raises(FocusDetrError) as caught:
        load_config(None, [override])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: {sed: 1}", ["unknown setting train.sed", "did you mean train.seed?"]),
        ("train: {seed: a}", ["train.seed is 'a'"]),
        ("train: {seed: 1\n", ["not valid YAML", "line"]),
        ("train: {seed: 1, seed: 2}", ["a key appears twice", "line 1"]),
        ("train: {output_dir: 2026-31-12}", ["not valid YAML", "month must be in 1..12"]),
        ("train: {output_dir: ''}", ["train.output_dir is '', expected text that names a file"]),
        ("data: {val_images: ''}", ["data.val_images is '', expected text that names a", "null"]),
        (r'train: {output_dir: "a\0"}', ["train.output_dir is 'a\\x00', expected text"]),
        (r'train: {output_dir: "\ud800"}', ["train.output_dir is '\\ud800', expected text"]),
        ("- 1", ["the top level is [1]"]),
        ("base: 3", ["base is 3"]),
        ("base: absent.yaml", ["cannot read", "absent.yaml"]),
        (r'base: "a\0"', ["cannot read", "null byte"]),
        (f"base: {'d' * 300}", ["cannot read", "File name too long"]),
        ("base: file.yaml", ["cycle", "file.yaml -> file.yaml"]),
        ("eval: {batch_size: 0}", ["eval.batch_size is 0", "at least 1"]),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    path = _write(tmp_path, "file.yaml", text)
    with pytest.raises(FocusDetrError) as caught:
        load_config(path)
    assert [word for word in ["file.yaml", *words] if word not in str(caught.value)] == []


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FocusDetrError, match=r"photo\.yaml is not UTF-8 text"):
        load_config(path)


def test_empty_files_and_sections_change_nothing(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, "empty.yaml", "")) == Config()
    assert load_config(_write(tmp_path, "section.yaml", "model:\n")) == Config()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_settings_survive_a_dict_and_yaml(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    assert config_from_dict(to_dict(config)) == config
    assert load_config(_write(tmp_path, "dump.yaml", dump_yaml(config))) == config


def test_stored_settings_with_an_unknown_key_name_their_source() -> None:
    with pytest.raises(FocusDetrError, match=r"model\.ckpt: unknown setting model\.depth"):
        config_from_dict({"model": {"depth": 3}}, "model.ckpt")


@given(lr=st.floats(1e-9, 1e3), seed=st.integers(0, 2**31), empty=st.booleans())
def test_any_numbers_survive_overrides_and_a_dict(lr: float, seed: int, empty: bool) -> None:
    overrides = [f"train.optimizer.lr={lr!r}", f"train.seed={seed}", f"data.filter_empty={empty}"]
    config = load_config(None, overrides)
    assert (config.train.optimizer.lr, config.train.seed) == (lr, seed)
    assert config_from_dict(to_dict(config)) == config
