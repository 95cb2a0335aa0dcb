"""Curves of what selections keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from focus_detr.inference.palette import BLUE, GREEN, GREY, ORANGE, RED, SKY, VIOLET
from focus_detr.paper.drawing import (
    legend_below,
    legend_height,
    lettering,
    new_figure,
    save_figure,
)
from focus_detr.paper.quality import ALL, Quality
from focus_detr.paper.token_places import SIZES

_COLOURS = (RED, BLUE, GREEN, ORANGE, VIOLET, SKY)
_MARKS = ("o", "s", "^", "D", "v", "P")
_STYLES = {ALL: "-", SIZES[0]: ":", SIZES[1]: "--", SIZES[2]: "-."}


def draw_quality(detectors: Sequence[Quality], folder: Path) -> list[Path]:
    """Recall by object size and precision, over the layers; Corr as bars."""
    with lettering():
        legend = _legend(detectors)
        figure = new_figure(2.55 + legend_height(legend))
        recall, precision, corr = figure.subplots(1, 3)
        for number, quality in enumerate(detectors):
            colour, mark = _look(number)
            _recall(recall, quality, colour, mark)
            _precision(precision, quality, colour, mark)
        _finish(recall, precision, detectors)
        _corr(corr, detectors)
        legend_below(figure, legend)
        return save_figure(figure, folder, "quality")


def _look(number: int) -> tuple[str, str]:
    """Colour and mark of a detector."""
    return _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]


def _legend(detectors: Sequence[Quality]) -> list[Any]:
    """Under the panels, where it hides nothing."""
    from matplotlib.lines import Line2D

    entries = []
    for number, quality in enumerate(detectors):
        colour, mark = _look(number)
        look: dict[str, Any] = {"color": colour, "marker": mark, "markersize": 3}
        entries.append(Line2D([], [], label=quality.detector, **look))
    entries.append(Line2D([], [], color=GREY, linestyle=":", label="blind choice"))
    for name, style in _STYLES.items():
        entries.append(Line2D([], [], color="black", linestyle=style, label=f"{name} boxes"))
    return entries


def _recall(axes: Any, quality: Quality, colour: str, mark: str) -> None:
    numbers = range(1, len(quality.layers) + 1)
    for name, style in _STYLES.items():
        values = [layer.recall[name] for layer in quality.layers]
        if None not in values:
            look = {"color": colour, "linestyle": style, "linewidth": 1.4 if name == ALL else 0.8}
            axes.plot(numbers, values, marker=mark, markersize=2.5, **look)


def _precision(axes: Any, quality: Quality, colour: str, mark: str) -> None:
    numbers = range(1, len(quality.layers) + 1)
    values = [layer.precision for layer in quality.layers]
    axes.plot(numbers, values, "-", color=colour, marker=mark, markersize=3)


def _finish(recall: Any, precision: Any, detectors: Sequence[Quality]) -> None:
    if detectors[0].covered is not None:
        precision.axhline(detectors[0].covered, color=GREY, linestyle=":")
    layers = range(1, max(len(quality.layers) for quality in detectors) + 1)
    for axes, title in ((recall, "recall of tokens in boxes"), (precision, "precision")):
        axes.set(xlabel="encoder layer", title=title, ylim=(0, 1.04), xticks=list(layers))
        axes.grid(alpha=0.25, linewidth=0.5)


def _corr(axes: Any, detectors: Sequence[Quality]) -> None:
    readings = ("kept", "top_kept", "top_attended")
    width = 0.8 / len(detectors)
    for number, quality in enumerate(detectors):
        values = [quality.corr[reading] or 0.0 for reading in readings]
        places = [place - 0.4 + width * (number + 0.5) for place in range(len(readings))]
        axes.bar(places, values, width * 0.92, color=_look(number)[0])
    names = ["kept\ntokens", "best-ranked\ntenth", "most attended\ntenth"]
    axes.set_xticks(range(len(readings)), names)
    axes.set(title="Corr: the decoder's attention on", ylim=(0, 1.04))
