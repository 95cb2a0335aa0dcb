"""The settings in a checkpoint's metadata, and how others differ from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from focus_detr.config.loading import config_from_dict, to_dict
from focus_detr.config.schema import Config, DataConfig, ModelConfig

# they say where the weights came from and how the device computes, not what
NO_EFFECT = frozenset({"model.backbone.weights", "model.msda"})
# training computes the same with any of them
DETECTION_ONLY = frozenset(
    {
        "model.max_detections",
        "model.overlap_limit",
        "model.overlap_candidates",
        "model.padding.evaluation",
    }
)
# detection computes the same with any of them
TRAINING_ONLY = frozenset(
    {
        "model.decoder.gathering",
        "model.encoder.dropout",
        "model.decoder.dropout",
        "model.decoder.self_attention_dropout",
    }
)


class SettingDifference(NamedTuple):
    """One setting with two values; lists stand for tuples."""

    name: str
    stored: Any
    used: Any

    def __str__(self) -> str:
        """Both values in words."""
        return f"{self.name}={self.stored}, but the settings have {self.used}"


def stored_model(metadata: Mapping[str, Any], label: str) -> ModelConfig | None:
    """The network settings in a checkpoint's metadata; what it does not say has its default.

    Args:
        metadata: of the checkpoint.
        label: what messages call the checkpoint.

    Returns:
        None if there are no network settings.

    Raises:
        FocusDetrError: they have an unknown key or a bad value.
    """
    plain = metadata.get("model")
    if not isinstance(plain, Mapping):
        return None
    # how it was trained says the run's own file; not every network has denoising queries
    return config_from_dict({"model": plain, "denoising": {"number": 0}}, label).model


def stored_test_size(data: DataConfig) -> dict[str, int]:
    """What a checkpoint remembers of the data settings: the size to detect at, in pixels."""
    return {"test_short_side": data.test_short_side, "test_max_side": data.test_max_side}


def differences(stored: ModelConfig, used: ModelConfig) -> tuple[SettingDifference, ...]:
    """Settings that differ and can matter, in the order of the schema."""
    before, now = dict(_flat(stored)), dict(_flat(used))
    return tuple(
        SettingDifference(name, before[name], value)
        for name, value in now.items()
        if value != before[name] and name not in NO_EFFECT
    )


def _flat(model: ModelConfig) -> Iterator[tuple[str, Any]]:
    yield from _flat_below(to_dict(Config(model=model))["model"], "model.")


def _flat_below(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat_below(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
