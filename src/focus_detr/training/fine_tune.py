"""Start from another run's weights."""

from __future__ import annotations

from pathlib import Path

from mindspore import nn

from focus_detr.training.state import model_part
from focus_detr.weights.checkpoint import load_checkpoint, load_into

_CLASS_TENSORS = ("class_heads.", "label_embed")  # their shape depends on the number of classes


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
    checkpoint = model_part(load_checkpoint(Path(path)))
    weights = checkpoint.tensors
    fresh = tuple(
        parameter.name
        for parameter in model.get_parameters()
        if parameter.name.startswith(_CLASS_TENSORS)
        and parameter.name in weights
        and tuple(weights[parameter.name].shape) != tuple(parameter.shape)
    )
    load_into(model, checkpoint, skip=fresh)
    return fresh
