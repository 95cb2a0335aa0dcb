"""Which tokens boxes make foreground: figure 8, by the released rule and by the paper's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mindspore as ms
import numpy as np

from focus_detr.data.transforms import resized_size
from focus_detr.losses.foreground import Intervals, foreground_targets
from focus_detr.models.geometry import FIRST_STRIDE, level_shapes
from focus_detr.paper.photographs import Photograph
from focus_detr.paper.token_places import TokenPlaces


@dataclass(frozen=True)
class Rule:
    """When a token inside a box is foreground."""

    name: str
    intervals: Intervals  # (low, high] in pixels for each level
    centre: bool  # distance to the box's centre; False: to its farthest side


_DISJOINT = ((-1, 64), (64, 128), (128, 256), (256, 999999))
_OVERLAPPING = ((-1, 64), (64, 256), (128, 512), (256, 999999))
RULES = (
    Rule("released", _DISJOINT, centre=False),
    Rule("overlapping", _OVERLAPPING, centre=False),
    Rule("paper: overlapping, centre", _OVERLAPPING, centre=True),
)


@dataclass(frozen=True)
class Labelled:
    """The tokens of one picture under one rule."""

    places: TokenPlaces
    foreground: np.ndarray  # [N] bool
    covered: np.ndarray  # [T, N] bool, inside which box


@dataclass(frozen=True)
class LevelLabels:
    """Tokens of one level, of one picture or several."""

    stride: int
    interval: tuple[float, float]
    cells: int
    inside: int  # some box
    foreground: int

    def __add__(self, other: LevelLabels) -> LevelLabels:
        """Those of further pictures."""
        return replace(
            self,
            cells=self.cells + other.cells,
            inside=self.inside + other.inside,
            foreground=self.foreground + other.foreground,
        )


@dataclass(frozen=True)
class RuleCounts:
    """One rule, on one picture or several."""

    rule: str
    levels: tuple[LevelLabels, ...]
    boxes: int
    without: int  # boxes that have no foreground token on any level

    def __add__(self, other: RuleCounts) -> RuleCounts:
        """Those of further pictures by the same rule."""
        levels = tuple(a + b for a, b in zip(self.levels, other.levels, strict=True))
        without = self.without + other.without
        return RuleCounts(self.rule, levels, self.boxes + other.boxes, without)


def label(photograph: Photograph, rule: Rule, short_side: int, max_side: int) -> Labelled:
    """Label the tokens of a picture that is resized as for evaluation, without padding.

    Args:
        photograph: with boxes.
        rule: of the labels.
        short_side: pixels that the short side gets,
        max_side: unless the long one would exceed this.
    """
    height, width = photograph.pixels.shape[:2]
    size = resized_size(height, width, short_side, max_side)
    return label_boxes(photograph.boxes_at(*size), rule, size)


def label_boxes(boxes: np.ndarray, rule: Rule, size: tuple[int, int]) -> Labelled:
    """Label the tokens of an image of (height, width) pixels with these boxes [T, 4]."""
    places = TokenPlaces.of_shapes(level_shapes(*size, len(rule.intervals)), size)
    # one box at least, that does not count: a product over none has no defined result (CPU, 2.10)
    given = np.zeros((1, max(len(boxes), 1), 4), np.float32)
    given[0, : len(boxes)] = boxes
    valid = (np.arange(given.shape[1]) < len(boxes))[None].astype(np.float32)  # [1, T]
    targets = foreground_targets(
        ms.Tensor(given),
        ms.Tensor(valid),
        *size,
        rule.intervals,
        centre=rule.centre,
    )
    return Labelled(places, targets.asnumpy()[0] > 0.5, places.covered(boxes))


def count_labels(rule: Rule, labelled: Labelled) -> RuleCounts:
    """Count a picture's labels."""
    levels = tuple(_level(rule, number, labelled) for number in range(len(rule.intervals)))
    hit = (labelled.covered & labelled.foreground).any(axis=1)  # [T]
    return RuleCounts(rule.name, levels, len(hit), int((~hit).sum()))


def _level(rule: Rule, number: int, labelled: Labelled) -> LevelLabels:
    on_level = labelled.places.levels == number
    return LevelLabels(
        stride=FIRST_STRIDE * 2**number,
        interval=rule.intervals[number],
        cells=int(on_level.sum()),
        inside=int((labelled.covered.any(axis=0) & on_level).sum()),
        foreground=int((labelled.foreground & on_level).sum()),
    )
