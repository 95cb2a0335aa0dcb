"""Settings that cannot work are refused with the reason."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.config.validation import RANGES, Range, validate
from focus_detr.config.values import full_keys
from focus_detr.errors import FocusDetrError


def _hint(key: str) -> Any:
    cls: Any = Config
    for name in key.split("."):
        cls = get_type_hints(cls)[name]
    return cls


def test_defaults_are_valid() -> None:
    validate(Config(), "defaults")


def test_every_number_has_a_range() -> None:
    numeric = {key for key in full_keys(Config) if {"int", "float"} & set(_words(str(_hint(key))))}
    assert numeric - set(RANGES) == {"model.foreground_selector.label_intervals"}
    assert set(RANGES) <= numeric


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.num_classes=0", "model.num_classes is 0, expected at least 1"),
        ("model.decoder.queries=0", "model.decoder.queries is 0"),
        ("model.encoder.object_tokens=0", "model.encoder.object_tokens is 0"),
        ("model.encoder.keep_ratio=0", "expected above 0 and at most 1"),
        ("model.encoder.keep_ratio=1.01", "expected above 0 and at most 1"),
        ("model.encoder.cascade=[1, 1, 1, 1, 1]", "has 5 items, expected one for each of"),
        ("model.encoder.cascade=[1, .5, .6, .4, .3, .2]", "expected shares that never rise"),
        ("model.encoder.cascade=[2, .5, .5, .4, .3, .2]", "expected above 0 and at most 1"),
        ("model.levels=3", "label_intervals has 4 items, expected one for each of model.levels 3"),
        ("model.levels=3", "model.levels 3: change both together"),
        ("model.levels=2", "model.levels is 2, expected at least 3"),
        ("model.levels=5", "label_intervals has 4 items, expected one for each of model.levels 5"),
        ("model.levels=6", "model.levels is 6, expected at least 3 and at most 5"),
        ("model.heads=7", "model.width 256 is not divisible by model.heads 7"),
        ("model.heads=0", "model.heads is 0"),
        ("model.width=40", "model.width 40 is not divisible by 32"),
        ("model.width=0", "model.width is 0"),
        ("model.backbone.depths=[1, 1]", "model.backbone.depths has 2 items, expected 4"),
        ("model.backbone.depths=[]", "model.backbone.depths is empty"),
        ("model.backbone.window=8", "window is set, but resnet50 is no Swin Transformer"),
        ("model.backbone.drop_path=0.1", "drop_path is set, but resnet50 is no Swin"),
        ("model.backbone.drop_path=1.0", "drop_path is 1, expected at least 0 and below 1"),
        ("model.backbone.window=1", "model.backbone.window is 1, expected at least 2"),
        ("model.backbone.freeze_at=6", "expected at least 0 and at most 5"),
        ("model.backbone.pixel_std=[1, 0, 1]", "model.backbone.pixel_std is [1, 0, 1]"),
        ("data.train_images=x", "data.train_images is set, but not data.train_annotations"),
        ("data.val_fraction=1", "data.val_fraction is 1, expected above 0 and below 1"),
        ("data.val_fraction=0", "data.val_fraction is 0, expected above 0 and below 1"),
        ("data.flip=1.5", "data.flip is 1.5, expected at least 0 and at most 1"),
        ("data.train_max_side=500", "data.train_short_sides exceed data.train_max_side 500"),
        ("data.test_max_side=500", "data.test_short_side exceeds data.test_max_side 500"),
        ("data.crop_sides=[600, 384]", "expected (smallest, largest)"),
        ("data.target_buckets=[300, 100]", "data.target_buckets is [300, 100]"),
        ("data.target_buckets=[]", "data.target_buckets is empty"),
        ("train.optimizer.lr=.inf", "train.optimizer.lr is inf"),
        ("train.schedule.epochs=11", "milestones is [11], expected numbers below"),
        ("train.schedule.milestones=[9, 8]", "milestones is [9, 8], expected rising numbers"),
        ("train.batch_size=0", "train.batch_size is 0"),
        ("train.accumulate=0", "train.accumulate is 0"),
        ("train.optimizer.clip_norm=-1", "clip_norm is -1, expected at least 0"),
        ("train.optimizer.ema_decay=1", "train.optimizer.ema_decay is 1"),
        ("train.optimizer.groups=[{lr_factor: 1}]", "groups has pattern '', expected a regular"),
        ("train.optimizer.groups=[{pattern: a, lr_factor: -1}]", "has lr_factor -1.0, expected"),
        ("train.optimizer.groups=[{pattern: a, weight_decay: .inf}]", "has weight_decay inf"),
        ("train.optimizer.freeze=[backbone, '(']", "freeze has '(', expected a regular"),
    ],
)
def test_a_bad_setting_is_refused(override: str, words: str) -> None:
    with pytest.raises(FocusDetrError) as caught:
        load_config(None, [override])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        ("[[0, 9], [9, 9], [9, 20], [20, 30]]", "each lower limit below its upper limit"),
        ("[[0, 9], [9, 20], [5, 30], [30, 40]]", "limits that rise from level to level"),
    ],
)
def test_label_intervals_have_an_order(intervals: str, words: str) -> None:
    with pytest.raises(FocusDetrError, match=words):
        load_config(None, [f"model.foreground_selector.label_intervals={intervals}"])


def test_overlapping_and_unlimited_intervals_are_allowed() -> None:
    text = "[[-1, 64], [64, 256], [128, 512], [256, .inf]]"
    config = load_config(None, [f"model.foreground_selector.label_intervals={text}"])
    assert config.model.foreground_selector.label_intervals[3] == (256.0, float("inf"))


def test_gradients_may_go_unclipped() -> None:
    assert load_config(None, ["train.optimizer.clip_norm=0"]).train.optimizer.clip_norm == 0


def test_a_shared_decoder_head_needs_enough_decoder_layers() -> None:
    head = "model.encoder.category_head=decoder_layer"
    load_config(None, [head])
    with pytest.raises(FocusDetrError, match=r"\(6\) to be at most model.decoder.layers \(5\)"):
        load_config(None, [head, "model.decoder.layers=5"])


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(FocusDetrError, match=r"data\.flip is 2.*; train\.schedule\.milestones"):
        load_config(None, ["data.flip=2", "train.schedule.epochs=1"])


def test_range_limits() -> None:
    open_range, closed = Range(0, 1, above_low=True), Range(0, 1)
    assert [open_range.holds(x) for x in (0, 0.5, 1, 1.5)] == [False, True, True, False]
    assert [closed.holds(x) for x in (-0.1, 0, 1)] == [False, True, True]
    assert not Range(0).holds(float("inf"))
