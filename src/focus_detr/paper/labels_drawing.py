"""Labels of tokens over photographs: figure 8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from focus_detr.inference.lettering import Colour
from focus_detr.paper.drawing import (
    legend_below,
    legend_height,
    lettering,
    name_colours,
    name_row,
    panel_grid,
    save_figure,
    show_boxes,
    show_picture,
    show_points,
    washed,
)
from focus_detr.paper.labels import Labelled, Rule
from focus_detr.paper.photographs import Photograph

FOREGROUND, BACKGROUND = "#c1121f", "#3b6ea5"
_BOX: Colour = (40, 40, 40)
_ENDLESS = 999_999


def draw_labels(
    labelled: Sequence[tuple[Photograph, Sequence[Labelled]]], rules: Sequence[Rule], folder: Path
) -> list[Path]:
    """A row for each picture and rule, a column for each level.

    Args:
        labelled: photographs with their tokens, by each rule.
        rules: in their order.
        folder: to write to.
    """
    levels = len(rules[0].intervals)
    shapes = [photograph.pixels.shape for photograph, _ in labelled for _ in rules]
    with lettering():
        legend = name_colours(("foreground", "other tokens in boxes"), (FOREGROUND, BACKGROUND))
        figure, axes = panel_grid(shapes, levels, legend=legend_height(legend))
        rows = iter(axes)
        for photograph, by_rule in labelled:
            for rule, each in zip(rules, by_rule, strict=True):
                panels = next(rows)
                name_row(panels[0], rule.name)
                for level, panel in enumerate(panels):
                    _fill(panel, photograph, rule, each, level)
        for level, panel in enumerate(axes[0]):
            panel.set_title(f"stride {8 * 2**level}", pad=3)
        legend_below(figure, legend)
        return save_figure(figure, folder, "labels")


def _fill(axes: Any, photograph: Photograph, rule: Rule, each: Labelled, level: int) -> None:
    pixels, on_level = photograph.pixels, each.places.levels == level
    centres = each.places.in_picture(*pixels.shape[:2])
    foreground = each.foreground & on_level
    other = each.covered.any(axis=0) & on_level & ~foreground
    told = f"{interval_told(rule.intervals[level])}: {foreground.sum()} foreground"
    show_picture(axes, washed(pixels), told)
    show_boxes(axes, photograph.boxes, [_BOX] * len(photograph.boxes))
    size = 0.8 + 0.8 * level
    show_points(axes, centres[other], BACKGROUND, size)
    show_points(axes, centres[foreground], FOREGROUND, size)


def interval_told(interval: tuple[float, float]) -> str:
    """Distances of a level in words."""
    low, high = interval
    if high >= _ENDLESS:
        return f"above {low:g} px"
    return f"{max(low, 0):g} to {high:g} px"
