"""What each of several settings files costs, from the settings alone: nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Row:
    """Counts of one settings file."""

    settings: str
    weights: int
    multiply_adds: float
    of_encoder: float


def count_rows(pattern: str, overrides: Sequence[str], height: int, width: int) -> list[Row]:
    """Count each of the package's settings files.

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
    return [_count(name, load_config(name, overrides).model, height, width) for name in names]


def rows_table(rows: Sequence[Row]) -> str:
    """A line each."""
    return table(
        HEADER,
        (
            [
                *(row.settings, f"{row.weights / 1e6:.3f}"),
                *(f"{count / 1e9:.2f}" for count in (row.multiply_adds, row.of_encoder)),
            ]
            for row in rows
        ),
    )


def _count(name: str, model: ModelConfig, height: int, width: int) -> Row:
    classes = model.num_classes or COCO_CLASSES
    parts = split_parts(model, count_multiply_adds(model, classes, height, width))
    return Row(name, _weights(_shape(model), classes), parts.total, parts.encoder)


def _shape(model: ModelConfig) -> ModelConfig:
    """Without what schedules differ in and no weight depends on, so that it is built once."""
    return ModelConfig(**{**vars(model), "position": PositionConfig()})


@cache
def _weights(model: ModelConfig, classes: int) -> int:
    return count_parameters(build_model(model, classes)).total
