"""Settings of a checkpoint are read with defaults and compared key by key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from focus_detr.config.schema import BackboneConfig, EncoderConfig, ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.weights.stored_settings import differences, stored_model


def test_what_is_not_stored_has_its_default() -> None:
    stored = stored_model({"model": {"width": 64, "position": {"offset": 0}}}, "a")
    assert stored is not None
    assert (stored.width, stored.heads) == (64, 8)
    assert (stored.position.temperature, stored.position.offset) == (10000.0, 0.0)
    assert stored_model({"class_names": []}, "a") is None


def test_bad_settings_name_the_checkpoint() -> None:
    with pytest.raises(FocusDetrError, match=r"best\.safetensors.*model\.depth"):
        stored_model({"model": {"depth": 3}}, "best.safetensors")


def test_differences_come_with_both_values_and_without_what_has_no_effect() -> None:
    used = ModelConfig(
        width=128,
        backbone=BackboneConfig(weights="x.safetensors"),
        encoder=EncoderConfig(cascade=(1.0,) * 6),
        msda="composition",
    )
    found = differences(ModelConfig(), used)
    assert found == (
        ("model.width", 256, 128),
        ("model.encoder.cascade", [1.0, 0.8, 0.6, 0.6, 0.4, 0.2], [1.0] * 6),
    )
    assert str(found[0]) == "model.width=256, but the settings have 128"
    assert differences(used, replace(used, msda="auto")) == ()
