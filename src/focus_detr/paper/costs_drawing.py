"""The figures of costs, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from focus_detr.inference.palette import BLUE, GREEN, GREY, ORANGE, RED, SKY, VIOLET
from focus_detr.paper.costs import BILLION, Cost
from focus_detr.paper.drawing import (
    SMALLEST,
    legend_above,
    lettering,
    new_figure,
    save_figure,
)
from focus_detr.paper.timing import Times

_ROW = 0.155  # inches of a bar
_PARTS = (("encoder", BLUE), ("decoder", ORANGE))
_TIMED = (("features", GREY), *_PARTS, ("rest", VIOLET))
_TICKS = (25, 50, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 700)


_ABOVE, _BELOW, _BELOW_LEFT, _LEFT, _RIGHT = (
    {"xytext": shift, "ha": side}  # points from the mark to the words
    for shift, side in (
        ((0, 5), "center"),
        ((0, -10), "center"),
        ((0, -10), "right"),
        ((-5, -2.5), "right"),
        ((6, -2.5), "left"),
    )
)
# what tells rows of one mark apart, by part of the name, and where there is room to write it
_OTHERS = (
    ("_r101_", "R101", _ABOVE),
    ("_swin_tiny_", "Swin-T", _ABOVE),
    ("_swin_base_224_", "Swin-B, 224", _BELOW),
    ("_swin_base_384_", "Swin-B, 384", _ABOVE),
    ("_swin_large_", "Swin-L", _ABOVE),
    ("_5scale_", "5 levels", _ABOVE),
    ("/dino_sparse_dual_", "dual", _ABOVE),
    ("/sparse_detr_dual_", "dual", _ABOVE),
    ("/deformable_detr_refine_", "refined boxes", _RIGHT),
    ("/deformable_detr_two_stage_r50_", "two-stage", _BELOW),
    ("/deformable_detr_focus_", "Focus", _RIGHT),
    ("/deformable_detr_sparse_r50_", "Sparse", _LEFT),
    ("/deformable_detr_sparse_dual_", "Sparse, dual", _RIGHT),
    ("/dn_deformable_detr_focus_", "Focus", _ABOVE),
    ("/dn_deformable_detr_sparse_r50_", "Sparse", _BELOW_LEFT),
    ("/dn_deformable_detr_sparse_dual_", "Sparse, dual", _RIGHT),
)


@dataclass(frozen=True)
class _Series:
    """Rows that stand for one method in the scatter."""

    label: str
    prefix: str  # of their names
    colour: str
    mark: str


_SERIES = (  # the first prefix that fits decides
    _Series("Focus-DETR", "focus_detr_", RED, "o"),
    _Series("DINO, Sparse", "family/dino_sparse", GREEN, "D"),
    _Series("DINO", "family/dino", BLUE, "s"),
    _Series("Align-DETR", "family/align_detr", BLUE, "*"),
    _Series("DAC-DETR", "family/dac_detr", BLUE, "X"),
    _Series("Sparse DETR", "family/sparse_detr", VIOLET, "v"),
    _Series("Efficient DETR", "family/efficient", GREY, "p"),
    _Series("DN-Deformable-DETR", "family/dn_", SKY, "^"),
    _Series("Deformable DETR", "family/deformable", ORANGE, "P"),
)


def draw_costs(costs: Sequence[Cost], folder: Path) -> list[Path]:
    """Draw bars of all rows and, if any AP was published, its scatter; returns the files."""
    with lettering():
        files = save_figure(_bars(costs), folder, "costs")
        if any(cost.published.ap for cost in costs):
            files += save_figure(_scatter(costs), folder, "ap_by_cost")
        return files


def _bars(costs: Sequence[Cost]) -> Any:
    """Figure 2 for every row: the transformer's parts; time beside it, where it was measured."""
    timed = [cost for cost in costs if cost.times is not None]
    figure = new_figure((1.15 if timed else 0.9) + _ROW * max(len(costs), 4))
    panels = figure.subplots(1, 2 if timed else 1, squeeze=False, sharey=True)[0]
    places = range(len(costs))
    for part, colour in _PARTS:
        left = [0.0 if part == "encoder" else cost.parts.encoder / BILLION for cost in costs]
        sizes = [getattr(cost.parts, part) / BILLION for cost in costs]
        panels[0].barh(places, sizes, 0.7, left, color=colour, label=part)
    _outline_paper(panels[0], costs)
    panels[0].set_yticks(places, [cost.published.name.removeprefix("family/") for cost in costs])
    per_image = _per_image(costs)
    break_line = "\n" if timed else " "  # the panel is half as wide
    panels[0].set(xlabel=f"billion multiply-adds of encoder{break_line}and decoder, {per_image}")
    panels[0].set_ylim(len(costs) - 0.4, -0.6)
    legend_above(panels[0], 2 if timed else 3)
    for panel in panels:
        panel.grid(axis="x", alpha=0.25, linewidth=0.5)
        panel.set_axisbelow(True)
    if timed:
        _time_bars(panels[1], costs)
    return figure


def _outline_paper(axes: Any, costs: Sequence[Cost]) -> None:
    """What figure 2 of the paper says, as far as its digits are known, as empty bars."""
    label = "figure 2 of the paper"
    for place, cost in enumerate(costs):
        left = 0.0
        for size in (cost.published.encoder, cost.published.decoder):
            if size is not None:
                look = {"fill": False, "edgecolor": "black", "linewidth": 0.7, "label": label}
                axes.barh(place, size, 0.94, left, **look)
                left, label = left + size, "_"


def _time_bars(axes: Any, costs: Sequence[Cost]) -> None:
    names = {part: part for part, _ in _TIMED}  # in the legend, once each
    for place, cost in enumerate(costs):
        left = 0.0
        for part, colour in _TIMED:
            if cost.times is not None:
                size = getattr(cost.times, part)
                axes.barh(place, size, 0.7, left, color=colour, label=names.pop(part, "_"))
                left += size
    first = next(cost.times for cost in costs if cost.times is not None)
    axes.set(xlabel=f"ms of one picture on {first.device}, {first.precision}")
    legend_above(axes, 2)


def _scatter(costs: Sequence[Cost]) -> Any:
    """Figure 7: published AP by our count (filled) and by the paper's (hollow)."""
    from matplotlib.ticker import FixedLocator, NullLocator

    figure = new_figure(4.4)
    axes = figure.subplots()
    for series in _SERIES:
        rows = [cost for cost in costs if _series_of(cost) == series and cost.published.ap]
        if not rows:
            continue
        look = {"c": series.colour, "marker": series.mark, "s": 22, "zorder": 3}
        x, y = [c.parts.total / BILLION for c in rows], [c.published.ap for c in rows]
        axes.scatter(x, y, label=series.label, **look)
        _join_keep_ratios(axes, rows, series.colour)
        _name_others(axes, rows)
    _hollow_marks(axes, costs)
    label = f"billion multiply-adds, {_per_image(costs)}"
    axes.set(xlabel=label, ylabel="published AP on COCO val2017", xscale="log")
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(0.07, 0.08)  # room for the words
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(loc="lower right", ncols=2)
    return figure


def _per_image(costs: Sequence[Cost]) -> str:
    """What the multiply-adds are of: detectors may see the same pictures in sizes of their own."""
    sizes, images = {cost.sizes for cost in costs}, len(costs[0].sizes)
    if images > 1:
        return f"mean of {images} images"
    return f"one image of {_image(costs[0])}" if len(sizes) == 1 else "one image"


def _image(cost: Cost) -> str:
    """Mean height and width."""
    return " x ".join(f"{fmean(side):.0f}" for side in zip(*cost.sizes, strict=True))


def _join_keep_ratios(axes: Any, rows: Sequence[Cost], colour: str) -> None:
    """Lines through the keep ratios of one network, marked with them."""
    for settings in {cost.published.settings for cost in rows}:
        same = [cost for cost in rows if cost.published.settings == settings]
        x = [cost.parts.total / BILLION for cost in same]
        y = [cost.published.ap for cost in same]
        if len(same) > 1:
            axes.plot(x, y, color=colour, linewidth=0.8, zorder=2)
            look = {"fontsize": SMALLEST, "color": GREY, "textcoords": "offset points"}
            for end, place in ((0, _LEFT), (-1, _RIGHT)):  # away from the line
                axes.annotate(f"{same[end].published.keep} %", (x[end], y[end]), **place, **look)


def _name_others(axes: Any, rows: Sequence[Cost]) -> None:
    look = {"fontsize": SMALLEST, "color": GREY, "textcoords": "offset points"}
    for cost in rows:
        for part, label, place in _OTHERS:
            if part in cost.published.name:
                at = (cost.parts.total / BILLION, cost.published.ap)
                axes.annotate(label, at, **place, **look)


def _hollow_marks(axes: Any, costs: Sequence[Cost]) -> None:
    label = "cost as the paper says"
    for cost in costs:
        series, told = _series_of(cost), cost.published.gflops
        if series is None or told is None:
            continue
        look = {"facecolors": "none", "edgecolors": series.colour, "marker": series.mark}
        axes.scatter([told], [cost.published.ap], s=30, label=label, zorder=3, **look)
        ours = (cost.parts.total / BILLION, cost.published.ap)
        axes.plot([ours[0], told], [ours[1]] * 2, color=series.colour, linewidth=0.6, linestyle=":")
        label = "_"


def _series_of(cost: Cost) -> _Series | None:
    name = cost.published.name
    return next((series for series in _SERIES if name.startswith(series.prefix)), None)


def costs_table(costs: Sequence[Cost]) -> str:
    """All rows in Markdown; '-' where nothing was said or measured."""
    header: tuple[str, ...] = ("detector", "image", "weights, M", "trainable", "paper")
    header += ("encoder", "decoder", "all, GMAC", "paper", "AP, published")
    timed = any(cost.times for cost in costs)
    header += ("encoder, ms", "decoder, ms", "rest, ms", "per second") if timed else ()
    lines = [header, ("---",) * len(header), *(_cells(cost, timed) for cost in costs)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cells(cost: Cost, timed: bool) -> tuple[str, ...]:
    told, parts = cost.published, cost.parts
    cells = (
        f"`{told.name}`",
        _image(cost),
        f"{cost.built.weights.total / 1e6:.2f}",
        f"{cost.built.trainable / 1e6:.2f}",
        _known(told.weights, "{:.0f}"),
        f"{parts.encoder / BILLION:.1f}",
        f"{parts.decoder / BILLION:.1f}",
        f"{parts.total / BILLION:.1f}",
        _known(told.gflops, "{:.0f}"),
        _known(told.ap, "{:.1f}"),
    )
    if not timed:
        return cells
    times = cost.times
    if times is None:
        return (*cells, "-", "-", "-", "-")
    measured = (times.encoder, times.decoder, times.features + times.rest)
    return (*cells, *(f"{value:.1f}" for value in measured), f"{times.per_second:.3g}")


def time_told(times: Times) -> str:
    """Where the time goes, in words."""
    rest = times.features + times.rest
    parts = f"encoder {times.encoder:.1f}, decoder {times.decoder:.1f}, rest {rest:.1f} ms"
    return f"{parts}; {times.per_second:.3g} pictures a second"


def _known(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
