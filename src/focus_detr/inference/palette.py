"""Colours that stay apart from each other."""

from __future__ import annotations

import colorsys

from focus_detr.inference.lettering import Colour

_GOLDEN_TURN = 0.61803398875  # successive hues never come close to each other
_TONES = ((0.55, 0.95), (0.62, 0.80), (0.42, 0.85))  # (lightness, saturation), by turns

BLACK: Colour = (17, 20, 24)
WHITE: Colour = (255, 255, 255)

# of lines and bars of figures: colour-blind readers can tell them apart
FIGURE_COLOURS = BLUE, ORANGE, GREEN, RED, VIOLET, SKY, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#4d5359",
)


def class_colour(label: int) -> Colour:
    """A colour for a class, always the same one."""
    lightness, saturation = _TONES[label % len(_TONES)]
    hue = (0.02 + label * _GOLDEN_TURN) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def readable_on(background: Colour) -> Colour:
    """Black or white, whichever stands out."""
    red, green, blue = background
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else WHITE
