"""Start from weights that something else has trained."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mindspore import nn

from focus_detr.config.schema import ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.weights.bias_tables import fit_bias_tables
from focus_detr.weights.checkpoint import CLASS_TENSORS, Checkpoint, load_checkpoint, load_into
from focus_detr.weights.stored_settings import (
    DETECTION_ONLY,
    TRAINING_ONLY,
    SettingDifference,
    differences,
    stored_model,
)

_log = logging.getLogger(__name__)

_FINEST_NORM = r"^backbone\.norm0\."  # Swin's with five levels, which no ImageNet file has

_SHOWN_NAMES = 3

# weights are worthless with others, although every tensor fits
_PIXEL_SETTINGS = ("model.backbone.pixel_mean", "model.backbone.pixel_std")
_DECISIVE = (*_PIXEL_SETTINGS, "model.position.temperature", "model.position.offset")
# a new task may have others
_FREE = (
    DETECTION_ONLY
    | TRAINING_ONLY
    | {
        "model.num_classes",
        "model.backbone.freeze_at",
        "model.backbone.drop_path",
    }
)


def initialise_from(
    path: str | Path, model: nn.Cell, settings: ModelConfig, class_names: Sequence[str]
) -> tuple[str, ...]:
    """Load every tensor that fits; heads for another number of classes keep their fresh values.

    Other settings of the network that do not show in its tensors are warned about, and other names
    of as many classes.

    Args:
        path: checkpoint of a model that may differ in its classes.
        model: the one to start.
        settings: its own, to compare with the checkpoint's.
        class_names: its own, likewise.

    Returns:
        The names of the tensors that stay freshly initialised.

    Raises:
        FocusDetrError: the file is missing or damaged, another tensor does not fit, or it was
            trained with another position embedding or on pixels normalised in another way.
    """
    checkpoint = load_checkpoint(path)
    _compare(checkpoint, settings)
    tensors = checkpoint.tensors
    fresh = sorted(
        name
        for name, parameter in model.parameters_and_names()
        if re.match(CLASS_TENSORS, name)
        and name in tensors
        and tuple(tensors[name].shape) != tuple(parameter.shape)
    )
    load_into(model, checkpoint, skip=[f"^{re.escape(name)}$" for name in fresh])
    if not fresh:
        _warn_of_other_names(checkpoint, class_names)
    return tuple(fresh)


def load_backbone(path: str | Path, model: nn.Cell, settings: ModelConfig) -> None:
    """Load the backbone's tensors alone, as from an ImageNet classifier.

    Bias tables of another window than the model's are interpolated, which is said.

    Args:
        path: checkpoint that holds them.
        model: the one to start.
        settings: its own, for the normalisation of the pixels.

    Raises:
        FocusDetrError: the file is missing or damaged, is of another backbone, or was trained on
            pixels normalised in another way.
    """
    if not Path(path).is_file():
        raise FocusDetrError(
            f"there is no {path}, which model.backbone.weights names; docs/weights.md tells how to "
            "get ImageNet weights"
        )
    checkpoint = load_checkpoint(path)
    shapes = {name: parameter.shape for name, parameter in model.parameters_and_names()}
    fitted = fit_bias_tables(checkpoint.tensors, shapes, checkpoint.label)
    load_into(model, replace(checkpoint, tensors=fitted), prefix="backbone.", skip=[_FINEST_NORM])
    for difference in _differences(checkpoint, settings):
        if difference.name in _PIXEL_SETTINGS:
            raise FocusDetrError(f"{checkpoint.label} was trained with {difference}")


def _compare(checkpoint: Checkpoint, settings: ModelConfig) -> None:
    different = [item for item in _differences(checkpoint, settings) if item.name not in _FREE]
    for difference in different:
        if difference.name in _DECISIVE:
            raise FocusDetrError(f"{checkpoint.label} was trained with {difference}")
    for difference in different:
        _log.warning("%s was trained with %s", checkpoint.label, difference)


def _warn_of_other_names(checkpoint: Checkpoint, class_names: Sequence[str]) -> None:
    stored = checkpoint.metadata.get("class_names")
    if not isinstance(stored, list):
        return
    pairs = zip(stored, class_names, strict=False)
    other = [f"'{new}' goes on from that of '{old}'" for old, new in pairs if old != new]
    if other:
        more = f", and {len(other) - _SHOWN_NAMES} more" if len(other) > _SHOWN_NAMES else ""
        _log.warning(
            "%s was trained with other class names; the head of %s",
            checkpoint.label,
            ", ".join(other[:_SHOWN_NAMES]) + more,
        )


def _differences(checkpoint: Checkpoint, settings: ModelConfig) -> tuple[SettingDifference, ...]:
    """What the file says, if it does, that the settings do not."""
    stored = stored_model(checkpoint.metadata, checkpoint.label)
    return () if stored is None else differences(stored, settings)
