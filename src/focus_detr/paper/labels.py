"""Which tokens boxes make foreground: figure 8, by the released rule and by the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mindspore as ms
import numpy as np

from focus_detr.data.transforms import resized_size
from focus_detr.losses.foreground import Intervals, foreground_targets
from focus_detr.models.geometry import level_shapes
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
    """Tokens of one level, of all pictures."""

    stride: int
    interval: tuple[float, float]
    cells: int
    inside: int  # some box
    foreground: int


@dataclass(frozen=True)
class RuleCounts:
    """One rule over a data set."""

    rule: str
    levels: tuple[LevelLabels, ...]
    boxes: int
    without: int  # boxes that have no foreground token on any level


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
    valid = np.ones((1, len(boxes)), np.float32)
    targets = foreground_targets(
        ms.Tensor(boxes[None].astype(np.float32)),
        ms.Tensor(valid),
        *size,
        rule.intervals,
        centre=rule.centre,
    )
    return Labelled(places, targets.asnumpy()[0] > 0.5, places.covered(boxes))


def count_labels(rule: Rule, pictures: Sequence[Labelled]) -> RuleCounts:
    """Add up a rule's labels over pictures."""
    levels = tuple(_level(rule, number, pictures) for number in range(len(rule.intervals)))
    hit = [(each.covered & each.foreground).any(axis=1) for each in pictures]
    boxes = sum(len(each) for each in hit)
    return RuleCounts(rule.name, levels, boxes, boxes - sum(int(each.sum()) for each in hit))


def _level(rule: Rule, number: int, pictures: Sequence[Labelled]) -> LevelLabels:
    cells = inside = foreground = 0
    for each in pictures:
        on_level = each.places.levels == number
        cells += int(on_level.sum())
        inside += int((each.covered.any(axis=0) & on_level).sum())
        foreground += int((each.foreground & on_level).sum())
    return LevelLabels(8 * 2**number, rule.intervals[number], cells, inside, foreground)
