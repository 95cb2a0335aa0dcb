"""A picture of the encoder's focus: which cells each layer refines on which level.

Rows are encoder layers, columns are feature levels and their union. The photograph is dimmed; kept
cells are lit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.lettering import Colour, put_text, text_mask
from focus_detr.inference.palette import BLACK
from focus_detr.wording import named

PANEL_SIDE = 340  # longest side of a panel in pixels

_GREY: Colour = (105, 112, 120)
_PALE: Colour = (228, 231, 235)
_LEVEL_COLOURS: tuple[Colour, ...] = (
    (255, 176, 0),
    (254, 97, 0),
    (220, 38, 127),
    (120, 94, 240),
    (100, 143, 255),
)  # a palette that colour-blind readers can tell apart
_ALL_COLOUR: Colour = (0, 150, 136)
_NARROWEST = 210  # pixels of a column, for the words over it
_DIMMED = 0.22  # brightness of what was dropped
_TINT = 0.12  # share of the level's colour in lit cells
_OUTLINED_SIDE = 5  # pixels of the panel; smaller cells get no outline
_GLOW = 0.55  # exponent; below 1 it lifts what only one level keeps


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in pixels."""

    panel_height: int
    cell_width: int  # a column; narrow panels stand in its middle
    margin: int = 28
    gap: int = 14
    title: int = 76
    header: int = 58
    row_label: int = 150
    caption: int = 24

    def size(self, rows: int, columns: int) -> tuple[int, int]:
        """(height, width) of the whole picture."""
        height = self.panel_corner(rows, 0)[1] - self.gap + self.margin
        width = self.panel_corner(0, columns)[0] - self.gap + self.margin
        return height, width

    def panel_corner(self, row: int, column: int) -> tuple[int, int]:
        """Left upper corner (x, y) of a panel's cell."""
        x = self.margin + self.row_label + column * (self.cell_width + self.gap)
        y = self.title + self.header + row * (self.panel_height + self.caption + self.gap)
        return x, y


def draw_token_overlay(image: np.ndarray, tokens: KeptTokens, title: str = "") -> np.ndarray:
    """Draw the grid of panels.

    Args:
        image: [H, W, 3] uint8 RGB, the picture as it was read.
        tokens: what the encoder kept of it.
        title: such as the file's name.

    Returns:
        The grid, uint8 RGB: a row per encoder layer, a column per level and one for all levels.
    """
    photo = _panel_photo(image)
    panel_height, panel_width = photo.shape[:2]
    layout = _Layout(panel_height, max(panel_width, _NARROWEST))
    height, width = layout.size(tokens.layers, tokens.levels + 1)
    canvas = np.full((height, width, 3), 255, np.uint8)
    _draw_title(canvas, layout, tokens, title)
    _draw_headers(canvas, layout, tokens)
    for layer in range(tokens.layers):
        _draw_row_label(canvas, layout, tokens, layer)
        _draw_row(canvas, layout, tokens, layer, photo)
    return canvas


def cell_map(
    cells: np.ndarray, stride: int, image_size: tuple[int, int], panel: tuple[int, int]
) -> np.ndarray:
    """Spread a grid over a panel: each panel pixel takes the cell in which it lies.

    Args:
        cells: [rows, columns].
        stride: pixels of the network's input per cell.
        image_size: (height, width) of the network's input without padding.
        panel: (height, width) of the panel.

    Returns:
        [*panel], values of ``cells``.
    """
    rows, columns = (
        ((np.arange(shown) + 0.5) * real / shown / stride).astype(int)
        for shown, real in zip(panel, image_size, strict=True)
    )
    return cells[np.ix_(rows, columns)]


def _panel_photo(image: np.ndarray) -> np.ndarray:
    """The photograph at panel size, at least 8 pixels on each side."""
    height, width = image.shape[:2]
    scale = PANEL_SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _dimmed(photo: np.ndarray) -> np.ndarray:
    """Dark, with little colour left."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
    return _DIMMED * (0.7 * grey + 0.3 * photo)


def _light(photo: np.ndarray, lit: np.ndarray, colour: Colour, cell_side: float) -> np.ndarray:
    """Show one level: the photograph where ``lit`` [h, w] bool, dimmed elsewhere.

    A thin line goes round lit areas, unless cells are so small that it would cover them.
    """
    bright = (1 - _TINT) * photo + _TINT * np.array(colour)
    panel = np.where(lit[..., None], bright, _dimmed(photo))
    if cell_side >= _OUTLINED_SIDE:
        panel[_rim(lit)] = colour
    return np.rint(panel).astype(np.uint8)


def _glow(photo: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Show all levels: the photograph the brighter, the higher ``share`` [h, w] in 0..1 is."""
    weight = share[..., None] ** _GLOW
    return np.rint(weight * photo + (1 - weight) * _dimmed(photo)).astype(np.uint8)


def _rim(lit: np.ndarray) -> np.ndarray:
    """Lit pixels that touch a dark one; the panel's border does not count."""
    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.erode(lit.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE)
    return lit & (inner == 0)


def _draw_row(
    canvas: np.ndarray, layout: _Layout, tokens: KeptTokens, layer: int, photo: np.ndarray
) -> None:
    """The panels of one layer."""
    height, width = photo.shape[:2]
    levels_here = np.zeros((height, width))
    shrink = width / tokens.image_size[1]
    for level in range(tokens.levels):
        cells, stride = tokens.kept_cells(layer, level), tokens.stride(level)
        lit = cell_map(cells, stride, tokens.image_size, (height, width))
        levels_here += lit
        panel = _light(photo, lit, _level_colour(level), stride * shrink)
        caption = _share(int(cells.sum()), cells.size)
        _draw_panel(canvas, layout.panel_corner(layer, level), panel, caption, layout)
    panel = _glow(photo, levels_here / tokens.levels)
    caption = f"{(levels_here > 0).mean():.0%} of the picture on some level"
    _draw_panel(canvas, layout.panel_corner(layer, tokens.levels), panel, caption, layout)


def _draw_panel(
    canvas: np.ndarray, corner: tuple[int, int], panel: np.ndarray, caption: str, layout: _Layout
) -> None:
    x, y = corner
    height, width = panel.shape[:2]
    left = x + (layout.cell_width - width) // 2
    canvas[y : y + height, left : left + width] = panel
    text_width = text_mask(caption, 14).shape[1]
    centre = x + (layout.cell_width - text_width) // 2
    put_text(canvas, caption, (centre, y + height + 4), 14, _GREY)


def _draw_title(canvas: np.ndarray, layout: _Layout, tokens: KeptTokens, title: str) -> None:
    put_text(canvas, "Tokens that the encoder refines", (layout.margin, 18), 26, BLACK)
    height, width = tokens.image_size
    parts = [title] if title else []
    parts += [f"{width} x {height} pixels", _told(_all_cells(tokens))]
    put_text(canvas, "   |   ".join(parts), (layout.margin, 52), 15, _GREY)


def _draw_headers(canvas: np.ndarray, layout: _Layout, tokens: KeptTokens) -> None:
    """Name and grid of each level over its column."""
    headers = [
        (f"Stride {tokens.stride(level)}", "{} x {} cells".format(*tokens.image_grid(level)[::-1]))
        for level in range(tokens.levels)
    ]
    headers.append(("All levels", "brighter: kept on more levels"))
    for column, (name, detail) in enumerate(headers):
        x, y = layout.panel_corner(0, column)
        is_level = column < tokens.levels
        colour = _level_colour(column) if is_level else _ALL_COLOUR
        cv2.rectangle(canvas, (x, y - 8), (x + layout.cell_width - 1, y - 5), colour, cv2.FILLED)
        put_text(canvas, name, (x, y - 36), 18, BLACK)
        detail_x = x + text_mask(name, 18).shape[1] + 10
        put_text(canvas, detail, (detail_x, y - 32), 14, _GREY)


def _draw_row_label(canvas: np.ndarray, layout: _Layout, tokens: KeptTokens, layer: int) -> None:
    """Layer, tokens kept in it, and a bar of their share."""
    x, y = layout.margin, layout.panel_corner(layer, 0)[1]
    y += max(0, layout.panel_height // 2 - 40)
    kept, total = _kept(tokens, layer), _all_cells(tokens)
    put_text(canvas, f"Layer {layer + 1}", (x, y), 20, BLACK)
    put_text(canvas, _told(kept), (x, y + 30), 15, _GREY)
    put_text(canvas, f"{share_told(kept, total)} of all", (x, y + 50), 15, _GREY)
    right = x + layout.row_label - 32
    filled = x + round((right - x) * kept / total)
    cv2.rectangle(canvas, (x, y + 76), (right, y + 81), _PALE, cv2.FILLED)
    cv2.rectangle(canvas, (x, y + 76), (max(x, filled), y + 81), _ALL_COLOUR, cv2.FILLED)


def _level_colour(level: int) -> Colour:
    return _LEVEL_COLOURS[level % len(_LEVEL_COLOURS)]


def _kept(tokens: KeptTokens, layer: int) -> int:
    return sum(int(tokens.kept_cells(layer, level).sum()) for level in range(tokens.levels))


def _all_cells(tokens: KeptTokens) -> int:
    return sum(int(np.prod(tokens.image_grid(level))) for level in range(tokens.levels))


def _told(tokens: int) -> str:
    return f"{_number(tokens)} {named(tokens, 'token')}"


def _number(value: int) -> str:
    """With thin gaps between thousands."""
    return f"{value:,}".replace(",", " ")


def _share(kept: int, total: int) -> str:
    return f"{_number(kept)} of {_number(total)}  ({share_told(kept, total)})"


def share_told(kept: int, total: int) -> str:
    """In percent, where some is never 0 and not all is never 100."""
    rounded = round(100 * kept / total)
    if kept > 0 == rounded:
        return "<1%"
    return ">99%" if kept < total and rounded == 100 else f"{rounded}%"
