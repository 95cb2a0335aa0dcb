"""Object tokens over photographs (figure 6b), and their statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from focus_detr.inference.palette import BLUE, GREEN, GREY, RED
from focus_detr.paper.detectors import Seen
from focus_detr.paper.drawing import (
    LEVEL_COLOURS,
    dimmed,
    legend_above,
    legend_below,
    legend_height,
    lettering,
    name_colours,
    name_levels,
    new_figure,
    panel_grid,
    save_figure,
    say_instead,
    show_picture,
    show_points,
    tell_below,
)
from focus_detr.paper.objects import ObjectLayer, score_map
from focus_detr.paper.token_places import TokenPlaces
from focus_detr.paper.tokens import strides_of
from focus_detr.wording import counted

_SCORES = "viridis"  # one that the colour-blind can read


def draw_objects(seen: Sequence[Seen], folder: Path) -> list[Path]:
    """A row for each picture: foreground scores, then the object tokens of each layer."""
    layers = len(seen[0].looks.objects)
    shapes = [each.photograph.pixels.shape for each in seen]
    legend = name_colours(*_score_ends()) + name_levels(strides_of(seen[0]))
    with lettering():
        figure, axes = panel_grid(shapes, 1 + layers, legend=legend_height(legend))
        for panels, each in zip(axes, seen, strict=True):
            _fill_row(panels, each)
        axes[0][0].set_title("foreground score", pad=3)
        for layer in range(layers):
            axes[0][1 + layer].set_title(f"layer {layer + 1}", pad=3)
        legend_below(figure, legend)
        return save_figure(figure, folder, "objects")


def _score_ends() -> tuple[list[str], list[str]]:
    """What the ends of the scale of scores look like."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return ["score 0", "score 1"], [to_hex(colormaps[_SCORES](end)) for end in (0.0, 1.0)]


def _fill_row(panels: Sequence[Any], seen: Seen) -> None:
    pixels, places = seen.photograph.pixels, TokenPlaces.of(seen.tokens)
    height, width = pixels.shape[:2]
    centres = places.in_picture(height, width)
    if seen.looks.scores is not None:
        scores = score_map(seen.tokens, seen.looks.scores, (height, width))
        panels[0].imshow(scores, cmap=_SCORES, vmin=0, vmax=1, extent=(0, width, height, 0))
        tell_below(panels[0], f"highest {scores.max():.2f}")
    else:
        say_instead(panels[0], "no scores: all tokens are kept")
    for layer, objects in enumerate(seen.looks.objects):
        told = f"{len(objects)} of {seen.tokens.counts[layer]}"
        show_picture(panels[1 + layer], dimmed(pixels), told)
        for level, colour in enumerate(LEVEL_COLOURS[: places.count]):
            on_level = objects[places.levels[objects] == level]
            show_points(panels[1 + layer], centres[on_level], colour, size=2.0 + 1.5 * level)


def draw_object_statistics(
    layers: Sequence[ObjectLayer],
    strides: Sequence[int],
    covered: float | None,
    pictures: int,
    folder: Path,
) -> list[Path]:
    """Curves over the layers: shares inside boxes and kept from the layer before, and levels.

    Args:
        layers: means over the pictures.
        strides: of the levels, pixels.
        covered: share of all tokens in boxes; None: no boxes are known.
        pictures: how many.
        folder: to write to.
    """
    with lettering():
        figure = new_figure(2.5)
        left, right = figure.subplots(1, 2)
        _shares(left, layers, covered)
        _levels(right, layers, strides)
        left.set_ylabel(f"share, mean of {counted(pictures, 'picture')}")
        return save_figure(figure, folder, "object_statistics")


def _shares(axes: Any, layers: Sequence[ObjectLayer], covered: float | None) -> None:
    numbers = list(range(1, len(layers) + 1))

    def curve(values: Sequence[float | None], form: str, colour: str, label: str) -> None:
        """Of the last layers, as many as there are values."""
        look = {"color": colour, "markersize": 3, "label": label}
        axes.plot(numbers[-len(values) :], values, form, **look)

    if covered is not None:
        curve([layer.inside for layer in layers], "o-", RED, "inside a box")
        axes.axhline(covered, color=GREY, linestyle=":", label="all tokens inside a box")
    if len(layers) > 1:
        overlap = [layer.overlap for layer in layers[1:]]
        curve(overlap, "s--", BLUE, "also in the layer before")
    pools = [layer.objects / layer.pool for layer in layers]
    curve(pools, "^-.", GREEN, "share of the kept tokens")
    axes.set(xlabel="encoder layer", ylim=(0, 1.02), xticks=numbers)
    legend_above(axes, 2)


def _levels(axes: Any, layers: Sequence[ObjectLayer], strides: Sequence[int]) -> None:
    numbers, below = list(range(1, len(layers) + 1)), [0.0] * len(layers)
    for level, (stride, colour) in enumerate(zip(strides, LEVEL_COLOURS, strict=False)):
        shares = [layer.by_level[level] for layer in layers]
        axes.bar(numbers, shares, 0.7, below, color=colour, label=f"stride {stride}")
        below = [under + share for under, share in zip(below, shares, strict=True)]
    axes.set(xlabel="encoder layer", ylabel="share by level", xticks=numbers)
    legend_above(axes, 4)
