"""What each of several settings files costs, from the settings alone: nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache

from model_measure import COCO_CLASSES
from plain_table import table

from focus_detr.config.loading import load_config
from focus_detr.config.recipes import recipe_names
from focus_detr.config.schema import ModelConfig, PositionConfig
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import build_model
from focus_detr.models.flops import count_multiply_adds
from focus_detr.models.parameter_counts import count_parameters
from focus_detr.paper.costs import split_parts

HEADER = ("settings", "million weights", "billion multiply-adds", "of the encoder")


def rows_table(pattern: str, overrides: Sequence[str], height: int, width: int) -> str:
    """A row for each of the package's settings files.

    Args:
        pattern: of their names, such as ``family/*``.
        overrides: of their settings.
        height: of the image, pixels.
        width: likewise.

    Raises:
        FocusDetrError: no name fits, or the settings with the overrides do not go together.
    """
    names = [name for name in recipe_names() if fnmatchcase(name, pattern)]
    if not names:
        raise FocusDetrError(f"--rows {pattern} fits no settings of the package, try 'family/*'")
    return table(HEADER, _rows(names, overrides, height, width))


def _rows(
    names: Sequence[str], overrides: Sequence[str], height: int, width: int
) -> Iterator[list[str]]:
    for name in names:
        model = load_config(name, overrides).model
        classes = model.num_classes or COCO_CLASSES
        parts = split_parts(model, count_multiply_adds(model, classes, height, width))
        billions = (f"{count / 1e9:.2f}" for count in (parts.total, parts.encoder))
        yield [name, f"{_weights(_shape(model), classes) / 1e6:.3f}", *billions]


def _shape(model: ModelConfig) -> ModelConfig:
    """Without what schedules differ in and no weight depends on, so that it is built once."""
    return ModelConfig(**{**vars(model), "position": PositionConfig()})


@cache
def _weights(model: ModelConfig, classes: int) -> int:
    return count_parameters(build_model(model, classes)).total
