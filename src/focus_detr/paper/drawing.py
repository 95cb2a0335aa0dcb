"""What all figures share: size, letters, colours, and files for screen and print."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.inference.lettering import Colour
from focus_detr.inference.palette import GREY
from focus_detr.io.files import write_whole
from focus_detr.process.program import install_command
from focus_detr.process.requirements import missing_modules

WIDTH = 7.0  # inches: both columns of a page
DPI = 150
_MOST_PIXELS = 2**16  # matplotlib draws no higher figure
SUFFIXES = (".png", ".pdf")
DIMMED = 0.3  # share of its light that a dark picture keeps
# colour-blind readers can tell these apart too
LEVEL_COLOURS = ("#ffb000", "#fe6100", "#dc267f", "#785ef0", "#648fff")
SMALLEST = 6.5  # points of letters: below, print is hard to read
_LETTERS = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "legend.fontsize": SMALLEST,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "axes.linewidth": 0.6,
    "text.parse_math": False,  # names of detectors and classes may hold dollar signs
    "pdf.fonttype": 42,  # letters stay letters
}


def require_matplotlib() -> None:
    """Look whether it is installed.

    Raises:
        FocusDetrError: it is not; says what installs it.
    """
    if missing_modules(("matplotlib",)):
        raise FocusDetrError(f"figures need matplotlib: {install_command('plots')}")


@contextmanager
def lettering() -> Iterator[None]:
    """Draw with the letters of all figures."""
    import matplotlib  # only figures need it

    with matplotlib.rc_context(_LETTERS):
        yield


def new_figure(height: float) -> Any:
    """An empty figure as wide as a page and so many inches high."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def panel_grid(
    shapes: Sequence[tuple[int, ...]], columns: int, *, label: float = 0.15, legend: float = 0.0
) -> tuple[Any, Any]:
    """A figure of panels without axes, a row for each picture.

    Args:
        shapes: (height, width, ...) of the picture of each row.
        columns: of panels.
        label: inches under each for a caption.
        legend: inches under all of them.

    Returns:
        The figure and its axes, [rows, columns].

    Raises:
        FocusDetrError: no file can be as high as so many rows.
    """
    panel = (WIDTH - 0.1) / columns
    heights = [panel * shape[0] / shape[1] for shape in shapes]  # inches
    height = sum(heights) + len(shapes) * label + 0.24 + legend
    if height * DPI >= _MOST_PIXELS:
        raise FocusDetrError(
            f"a figure of {len(shapes)} rows is too high to be drawn: take fewer pictures (--count)"
        )
    figure = new_figure(height)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.03, wspace=0.01, hspace=0.01)
    axes = figure.subplots(len(shapes), columns, squeeze=False, height_ratios=heights)
    for panel_axes in axes.flat:
        panel_axes.set(xticks=[], yticks=[])
        for spine in panel_axes.spines.values():
            spine.set_visible(False)
    return figure, axes


def show_picture(axes: Any, picture: np.ndarray, caption: str = "") -> None:
    """Put a picture [H, W, 3] uint8 into a panel, with a line under it."""
    height, width = picture.shape[:2]
    # from 0 to its size, so that points are in its pixels
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0))
    tell_below(axes, caption)


def tell_below(axes: Any, caption: str) -> None:
    """Write a line under a panel."""
    axes.set_xlabel(caption, fontsize=SMALLEST, labelpad=1.5, color=GREY)


def legend_above(axes: Any, columns: int) -> None:
    """Put the legend over the axes, where it hides nothing."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False)


def name_colours(names: Sequence[str], colours: Sequence[str]) -> list[Any]:
    """Entries for ``legend_below``: what stands for what."""
    from matplotlib.patches import Patch

    pairs = zip(names, colours, strict=True)
    return [Patch(color=colour, label=name) for name, colour in pairs]


def name_levels(strides: Sequence[int], first: int = 0) -> list[Any]:
    """Entries for ``legend_below``: which colour is which level, from the level ``first`` on."""
    names = [f"stride {stride}" for stride in strides]
    return name_colours(names, LEVEL_COLOURS[: len(names)])[first:]


def name_outlines(names: Sequence[str], colours: Sequence[Colour]) -> list[Any]:
    """Entries for ``legend_below``: what boxes in these colours are."""
    from matplotlib.patches import Patch

    pairs = zip(names, colours, strict=True)
    return [Patch(fill=False, edgecolor=_edge(colour), label=name) for name, colour in pairs]


def legend_height(entries: Sequence[Any]) -> float:
    """Inches that ``legend_below`` takes."""
    return 0.15 * -(-len(entries) // _legend_columns(entries)) + 0.03 if entries else 0.0


def legend_below(figure: Any, entries: Sequence[Any]) -> None:
    """Put a legend under all panels."""
    if entries:
        look = {"ncols": _legend_columns(entries), "frameon": False}
        figure.legend(handles=list(entries), loc="outside lower center", **look)


def _legend_columns(entries: Sequence[Any]) -> int:
    """How many of the longest name fit beside each other; a letter is about half as wide."""
    longest = max((len(entry.get_label()) for entry in entries), default=0)
    entry = SMALLEST * (0.6 * longest + 5) / 72  # inches, with its colour and a gap
    return max(1, min(len(entries), int(WIDTH / entry)))


def show_points(axes: Any, points: np.ndarray, colour: str, size: float = 1.2) -> None:
    """Put dots at [n, 2] (x, y) of the picture in a panel."""
    if len(points):
        look = {"s": size, "c": colour, "linewidths": 0, "rasterized": True}
        axes.scatter(points[:, 0], points[:, 1], **look)


def show_boxes(axes: Any, boxes: np.ndarray, colours: Sequence[Colour]) -> None:
    """Outline boxes [n, 4] x1 y1 x2 y2 in a panel, each in a colour of its own."""
    from matplotlib.patches import Rectangle

    for (x1, y1, x2, y2), colour in zip(boxes.tolist(), colours, strict=True):
        sides = x2 - x1, y2 - y1
        outline = Rectangle((x1, y1), *sides, fill=False, edgecolor=_edge(colour), linewidth=0.7)
        axes.add_patch(outline)


def _edge(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def say_instead(axes: Any, why: str) -> None:
    """Write why a panel is empty."""
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=GREY)


def name_row(axes: Any, text: str) -> None:
    """Write at the left of a row of panels, upwards."""
    axes.set_ylabel(text, fontsize=SMALLEST, labelpad=2)


def save_figure(figure: Any, folder: Path, name: str, dpi: int = DPI) -> list[Path]:
    """Write a figure as PNG and as PDF.

    Raises:
        FocusDetrError: a file cannot be written.
    """
    written = []
    for suffix in SUFFIXES:
        buffer = io.BytesIO()
        # without the date, so that the same numbers give the same file
        stamp = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
        figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=stamp)
        path = folder / f"{name}{suffix}"
        write_whole(path, buffer.getvalue())
        written.append(path)
    return written


def percent(part: float, whole: float) -> str:
    """A share in words, where some is never 0."""
    if whole == 0:
        return "-"
    share = 100 * part / whole
    return "<1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def washed(picture: np.ndarray, white: float = 0.55) -> np.ndarray:
    """A picture [H, W, 3] uint8, paler, so that dark dots on it can be seen."""
    return np.rint((1 - white) * picture + white * 255).astype(np.uint8)


def dimmed(picture: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8, dark, so that patches and dots in bright colours can be seen."""
    return (picture * DIMMED).astype(np.uint8)
