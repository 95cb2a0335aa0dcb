"""Starting from weights of another class count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from family_cases import small_family_config
from tiny_training import DESCRIPTION, TinyModel, TinyRun

from focus_detr.config.schema import BackboneConfig, EncoderConfig, ModelConfig, PositionConfig
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import build_model
from focus_detr.training.fine_tune import initialise_from, load_backbone
from focus_detr.training.state import TrainingState, save_state
from focus_detr.weights.checkpoint import load_checkpoint, model_tensors, save_checkpoint

SETTINGS = ModelConfig(width=8)
NAMES = ("cat", "dog")


def _checkpoint(folder: Path) -> Path:
    parts = TinyRun(folder).trainer().parts
    path = folder / "last.safetensors"
    save_state(path, parts.model, parts.step.optimizer, DESCRIPTION, TrainingState(0, 3))
    return path


def test_everything_fits_the_same_classes(tmp_path: Path) -> None:
    model = TinyModel(seed=5)
    assert initialise_from(_checkpoint(tmp_path), model, SETTINGS, NAMES) == ()
    expected = model_tensors(TinyModel(seed=0))
    for name, value in model_tensors(model).items():
        np.testing.assert_array_equal(value, expected[name])


def test_heads_of_another_class_count_stay_fresh(tmp_path: Path) -> None:
    model = TinyModel(seed=5, classes=7)
    assert initialise_from(_checkpoint(tmp_path), model, SETTINGS, NAMES) == (
        "class_heads.weight",
        "label_embed",
    )
    tensors, source = model_tensors(model), model_tensors(TinyModel(seed=0))
    fresh = model_tensors(TinyModel(seed=5, classes=7))
    np.testing.assert_array_equal(tensors["backbone.kernel"], source["backbone.kernel"])
    np.testing.assert_array_equal(tensors["label_embed"], fresh["label_embed"])


def test_heads_of_encoder_layers_of_another_class_count_stay_fresh_too(tmp_path: Path) -> None:
    model = small_family_config("dino_sparse_r50_36ep", "model.encoder.cascade=[1, 1]").model
    path = tmp_path / "sparse.safetensors"
    save_checkpoint(path, model_tensors(build_model(model, 3)), {})
    fresh = initialise_from(path, build_model(model, 5), model, NAMES)
    heads = [f"class_heads.{head}" for head in range(3)] + ["encoder_heads.class_heads.0"]
    parameters = [f"{head}.{kind}" for head in heads for kind in ("bias", "weight")]
    assert sorted(fresh) == sorted([*parameters, "label_embed"])


def test_a_missing_backbone_says_where_to_get_one(tmp_path: Path) -> None:
    expected = r"no .*none\.safetensors, which model\.backbone\.weights names; docs/weights\.md"
    with pytest.raises(FocusDetrError, match=expected):
        load_backbone(tmp_path / "none.safetensors", TinyModel(), SETTINGS)


def test_another_misfit_is_an_error(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(_checkpoint(tmp_path))
    damaged = {**checkpoint.tensors, "backbone.kernel": np.zeros(4, np.float32)}
    path = tmp_path / "damaged.safetensors"
    save_checkpoint(path, damaged, checkpoint.metadata)
    with pytest.raises(FocusDetrError, match=r"backbone\.kernel"):
        initialise_from(path, TinyModel(), SETTINGS, NAMES)


def test_a_backbone_alone_is_loaded_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "imagenet.safetensors"
    kernel = np.array([7, 8, 9], np.float32)
    save_checkpoint(path, {"backbone.kernel": kernel, "classifier": np.ones(2)}, {})
    model = TinyModel()
    load_backbone(path, model, SETTINGS)
    np.testing.assert_array_equal(model.backbone.kernel.asnumpy(), kernel)
    np.testing.assert_array_equal(model.label_embed.asnumpy(), TinyModel().label_embed.asnumpy())


def _with_pixels(folder: Path, mean: list[float], std: list[float]) -> Path:
    path = folder / "imagenet.safetensors"
    backbone = {"pixel_mean": mean, "pixel_std": std}
    save_checkpoint(path, model_tensors(TinyModel()), {"model": {"backbone": backbone}})
    return path


@pytest.mark.parametrize("start", [load_backbone, partial(initialise_from, class_names=NAMES)])
@pytest.mark.parametrize("setting", ["pixel_mean", "pixel_std"])
def test_another_normalisation_of_the_pixels_names_both(
    tmp_path: Path, start: Callable[..., object], setting: str
) -> None:
    path = _with_pixels(tmp_path, [127, 127, 127], [128, 128, 128])
    same = BackboneConfig(pixel_mean=(127, 127, 127), pixel_std=(128, 128, 128))
    start(path, TinyModel(), ModelConfig(backbone=same))
    other = ModelConfig(backbone=replace(same, **{setting: (1.0, 2.0, 3.0)}))
    stored = getattr(same, setting)[0]
    expected = rf"imagenet.*model\.backbone\.{setting}=\[{stored}\.0,.* have \[1\.0, 2\.0"
    with pytest.raises(FocusDetrError, match=expected):
        start(path, TinyModel(), other)


def test_another_position_embedding_is_refused(tmp_path: Path) -> None:
    later = replace(SETTINGS, position=PositionConfig(20.0, -0.5))
    expected = r"model\.position\.temperature=10000\.0, but the settings have 20\.0"
    with pytest.raises(FocusDetrError, match=expected):
        initialise_from(_checkpoint(tmp_path), TinyModel(), later, NAMES)


def test_other_settings_without_tensors_are_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(SETTINGS, num_classes=9, encoder=EncoderConfig(keep_ratio=0.25))
    initialise_from(_checkpoint(tmp_path), TinyModel(), other, NAMES)
    (record,) = caplog.records
    expected = "was trained with model.encoder.keep_ratio=0.5, but the settings have 0.25"
    assert record.message.endswith(expected)


@pytest.mark.parametrize(
    ("classes", "names", "told"),
    [
        (2, NAMES, None),
        (3, ("ant", "bee", "cow"), None),  # new heads
        (2, ("cat", "fox"), "'fox' goes on from that of 'dog'"),
        (
            2,
            ("dog", "cat"),
            "'dog' goes on from that of 'cat', 'cat' goes on from that of 'dog'",
        ),
    ],
)
def test_heads_that_go_on_under_other_names_are_warned_about(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    classes: int,
    names: tuple[str, ...],
    told: str | None,
) -> None:
    initialise_from(_checkpoint(tmp_path), TinyModel(classes=classes), SETTINGS, names)
    said = [record.getMessage() for record in caplog.records]
    ends = [text.partition("other class names; the head of ")[2] for text in said]
    assert ends == ([] if told is None else [told])


def test_of_many_other_names_a_few_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "many.safetensors"
    tensors = model_tensors(TinyModel(classes=5))
    save_checkpoint(path, tensors, {"class_names": list("abcde")})
    initialise_from(path, TinyModel(classes=5), SETTINGS, tuple("vwxyz"))
    assert caplog.records[0].getMessage().endswith("'x' goes on from that of 'c', and 2 more")
