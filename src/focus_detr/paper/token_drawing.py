"""Kept tokens over photographs: figures 1, 4, 6a, 9 and 10."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from focus_detr.inference.lettering import Colour
from focus_detr.inference.palette import FIGURE_COLOURS, class_colour
from focus_detr.paper.detectors import Seen
from focus_detr.paper.drawing import (
    LEVEL_COLOURS,
    dimmed,
    legend_below,
    legend_height,
    name_levels,
    name_outlines,
    name_row,
    panel_grid,
    percent,
    save_figure,
    say_instead,
    show_boxes,
    show_picture,
    show_points,
    washed,
)
from focus_detr.paper.token_places import TokenPlaces
from focus_detr.paper.tokens import kept_tokens, strides_of
from focus_detr.wording import counted

DOT = "#c1121f"
_SMALLEST_SIDE = 700  # pixels of a picture that patches are drawn on
_BLACK: Colour = (0, 0, 0)
_PATCHES = (1.0, 0.75, 0.6, 0.5, 0.45)  # sides by level, in cells of the finest

Row = tuple[str, Seen]  # detector and what it did
Column = tuple[str, Callable[[Any, Seen], None]]  # title, and what fills its panels


def draw_patches(rows: Sequence[Row], layer: int, folder: Path) -> list[Path]:
    """Figure 1: photograph, kept tokens of a layer, and its object tokens, as patches.

    The finest level shows the photograph; patches of coarser levels lie on it in their colours, the
    smaller the coarser.
    """

    def kept(axes: Any, seen: Seen) -> None:
        """The tokens that the layer keeps."""
        chosen = kept_tokens(seen, layer)
        told = f"{len(chosen)} of {TokenPlaces.of(seen.tokens).inside.sum()} tokens"
        show_picture(axes, patched(seen, chosen), told)

    def objects(axes: Any, seen: Seen) -> None:
        """The layer's object tokens."""
        if not seen.looks.objects:
            say_instead(axes, "no object tokens")
            return
        chosen = seen.looks.objects[layer]
        show_picture(axes, patched(seen, chosen), f"{len(chosen)} object tokens")

    strides = strides_of(rows[0][1])
    legend = name_outlines([f"stride {strides[0]}: photograph"], [_BLACK])
    legend += name_levels(strides, first=1)
    columns: list[Column] = [("photograph", _photograph), (f"kept, layer {layer + 1}", kept)]
    if any(seen.looks.objects for _, seen in rows):
        columns.append((f"object tokens, layer {layer + 1}", objects))
    return _draw(rows, columns, folder, "token_patches", legend)


def draw_levels(rows: Sequence[Row], layer: int, folder: Path) -> list[Path]:
    """Figures 4, 6a and 9: kept tokens of a layer, of all levels and of each."""
    columns: list[Column] = [("all levels", _dots(layer, None))]
    strides = strides_of(rows[0][1])
    columns += [(f"stride {stride}", _dots(layer, n)) for n, stride in enumerate(strides)]
    return _draw(rows, columns, folder, "token_levels")


def draw_layers(rows: Sequence[Row], threshold: float, folder: Path) -> list[Path]:
    """Figure 10: detections, then the kept tokens of each encoder layer."""
    names = _class_names(rows, threshold)
    colours = dict(zip(names, _class_colours(list(names)), strict=True))

    def found(axes: Any, seen: Seen) -> None:
        """The photograph with its detections."""
        shown = seen.prediction.above(threshold).detections
        show_picture(axes, seen.photograph.pixels, counted(len(shown.labels), "detection"))
        show_boxes(axes, shown.boxes, [colours[label] for label in shown.labels.tolist()])

    layers = max(seen.tokens.layers for _, seen in rows)
    columns: list[Column] = [(f"score from {threshold:g}", found)]
    columns += [(f"layer {layer + 1}", _dots(layer, None)) for layer in range(layers)]
    legend = name_outlines(list(names.values()), list(colours.values()))
    return _draw(rows, columns, folder, "token_layers", legend)


def _class_names(rows: Sequence[Row], threshold: float) -> dict[int, str]:
    """Of the labels that are drawn."""
    names: dict[int, str] = {}
    for _, seen in rows:
        shown = seen.prediction.above(threshold)
        names |= dict(zip(shown.detections.labels.tolist(), shown.names, strict=True))
    return dict(sorted(names.items()))


def _class_colours(labels: Sequence[int]) -> list[Colour]:
    """Such that the colour-blind can tell them apart, where few classes are drawn."""
    if len(labels) > len(FIGURE_COLOURS):
        return [class_colour(label) for label in labels]
    return [_rgb(colour) for colour in FIGURE_COLOURS[: len(labels)]]


def patched(seen: Seen, tokens: np.ndarray) -> np.ndarray:
    """A photograph, dark but for the patches of some tokens: [H, W, 3] uint8."""
    pixels = seen.photograph.pixels
    enlarge = max(1, -(-_SMALLEST_SIDE // max(pixels.shape[:2])))
    photo = cv2.resize(pixels, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    places, canvas = TokenPlaces.of(seen.tokens), dimmed(photo)
    centres = places.in_picture(*photo.shape[:2])
    finest = seen.tokens.first_stride * photo.shape[1] / seen.tokens.image_size[1]
    for token in sorted(tokens.tolist(), key=lambda token: places.levels[token]):
        level = int(places.levels[token])
        half = finest * _PATCHES[min(level, len(_PATCHES) - 1)] / 2
        low, high = (np.rint(centres[token] + sign * half).astype(int) for sign in (-1, 1))
        area = slice(max(low[1], 0), high[1]), slice(max(low[0], 0), high[0])
        canvas[area] = photo[area] if level == 0 else _rgb(LEVEL_COLOURS[level])
    return canvas


def _rgb(text: str) -> Colour:
    red, green, blue = (int(text[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def _photograph(axes: Any, seen: Seen) -> None:
    show_picture(axes, seen.photograph.pixels)


def _dots(layer: int, level: int | None) -> Callable[[Any, Seen], None]:
    def fill(axes: Any, seen: Seen) -> None:
        """Dots at the kept tokens' centres, and their share below."""
        if layer >= seen.tokens.layers:
            say_instead(axes, "no such layer")
            return
        places, pixels = TokenPlaces.of(seen.tokens), seen.photograph.pixels
        kept = kept_tokens(seen, layer, level)
        on_level = places.inside if level is None else places.inside & (places.levels == level)
        show_picture(axes, washed(pixels), percent(len(kept), int(on_level.sum())))
        show_points(axes, places.in_picture(*pixels.shape[:2])[kept], DOT)

    return fill


def _draw(
    rows: Sequence[Row],
    columns: Sequence[Column],
    folder: Path,
    name: str,
    legend: Sequence[Any] = (),
) -> list[Path]:
    shapes = [seen.photograph.pixels.shape for _, seen in rows]
    figure, axes = panel_grid(shapes, len(columns), legend=legend_height(legend))
    several = len({detector for detector, _ in rows}) > 1
    for panels, (detector, seen) in zip(axes, rows, strict=True):
        for panel, (_, fill) in zip(panels, columns, strict=True):
            fill(panel, seen)
        if several:
            name_row(panels[0], detector)
    for panel, (title, _) in zip(axes[0], columns, strict=True):
        panel.set_title(title, pad=3)
    legend_below(figure, legend)
    return save_figure(figure, folder, name)
