"""Start from weights that something else has trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mindspore import nn

from focus_detr.config.schema import BackboneConfig
from focus_detr.errors import FocusDetrError
from focus_detr.weights.checkpoint import CLASS_TENSORS, Checkpoint, load_checkpoint, load_into

_PIXEL_SETTINGS = ("pixel_mean", "pixel_std")


def initialise_from(path: str | Path, model: nn.Cell, backbone: BackboneConfig) -> tuple[str, ...]:
    """Load every tensor that fits; heads for another number of classes keep their fresh values.

    Args:
        path: checkpoint of a model that may differ in its classes, but in nothing else.
        model: the one to start.
        backbone: its settings, for the normalisation of the pixels.

    Returns:
        The names of the tensors that stay freshly initialised.

    Raises:
        FocusDetrError: the file is missing or damaged, another tensor does not fit, or it was
            trained on pixels normalised in another way.
    """
    checkpoint = load_checkpoint(path)
    _refuse_other_pixels(checkpoint, backbone)
    tensors = checkpoint.tensors
    fresh = sorted(
        name
        for name, parameter in model.parameters_and_names()
        if re.match(CLASS_TENSORS, name)
        and name in tensors
        and tuple(tensors[name].shape) != tuple(parameter.shape)
    )
    load_into(model, checkpoint, skip=[f"^{re.escape(name)}$" for name in fresh])
    return tuple(fresh)


def load_backbone(path: str | Path, model: nn.Cell, backbone: BackboneConfig) -> None:
    """Load the backbone's tensors alone, as from an ImageNet classifier.

    Args:
        path: checkpoint that holds them.
        model: the one to start.
        backbone: its settings, for the normalisation of the pixels.

    Raises:
        FocusDetrError: the file is missing or damaged, is of another backbone, or was trained on
            pixels normalised in another way.
    """
    checkpoint = load_checkpoint(path)
    load_into(model, checkpoint, prefix="backbone.")
    _refuse_other_pixels(checkpoint, backbone)


def _refuse_other_pixels(checkpoint: Checkpoint, backbone: BackboneConfig) -> None:
    """Compare what the file says, if it does, with the settings."""
    model = checkpoint.metadata.get("model")
    stored = model.get("backbone") if isinstance(model, Mapping) else None
    if not isinstance(stored, Mapping):
        return
    for name in _PIXEL_SETTINGS:
        wanted = [float(value) for value in getattr(backbone, name)]
        if name in stored and stored[name] != wanted:
            raise FocusDetrError(
                f"{checkpoint.label} was trained with {name} {stored[name]}, but "
                f"model.backbone.{name} is {wanted}"
            )
