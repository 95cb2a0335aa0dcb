"""Start from weights that something else has trained."""

from __future__ import annotations

import re
from pathlib import Path

from mindspore import nn

from focus_detr.weights.checkpoint import CLASS_TENSORS, load_checkpoint, load_into


def initialise_from(path: str | Path, model: nn.Cell) -> tuple[str, ...]:
    """Load every tensor that fits; heads for another number of classes keep their fresh values.

    Args:
        path: checkpoint of a model that may differ in its classes, but in nothing else.
        model: the one to start.

    Returns:
        The names of the tensors that stay freshly initialised.

    Raises:
        FocusDetrError: the file is missing or damaged, or another tensor does not fit.
    """
    checkpoint = load_checkpoint(path)
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


def load_backbone(path: str | Path, model: nn.Cell) -> None:
    """Load the backbone's tensors alone, as from an ImageNet classifier.

    Raises:
        FocusDetrError: the file is missing or damaged, or is of another backbone.
    """
    load_into(model, load_checkpoint(path), prefix="backbone.")
