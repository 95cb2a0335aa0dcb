"""Flips, resizing, cropping and recolouring of an image together with its boxes.

What happens to an image is planned from its size alone, before it is read: so the loader knows the
final sizes in advance and can put images of one shape bucket into a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from focus_detr.data.resampling import resize_bilinear_antialiased

DRAWS = 13  # uniform numbers that one image's plan uses
_TOP_BOTTOM, _LEFT_RIGHT = 0, 1  # OpenCV's codes
_MIN_BOX_SIDE = 1e-5  # pixels; a box that a crop left thinner is gone
_MAX_CROP_ASPECT = 16  # only slivers are longer; without a limit they would fill the memory


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its boxes."""

    image: np.ndarray  # [H, W, 3] uint8, RGB
    boxes: np.ndarray  # [n, 4] float32, x1 y1 x2 y2 in pixels
    labels: np.ndarray  # [n] int32


@dataclass(frozen=True)
class Crop:
    """A window of the image after it was resized to ``resized``; all in pixels."""

    resized: tuple[int, int]  # (height, width)
    top: int
    left: int
    height: int
    width: int
    least_visible: float = 0.0  # share of a box's area that must lie inside, or the box goes


@dataclass(frozen=True)
class TransformPlan:
    """What to do with one image, in this order."""

    size: tuple[int, int]  # final (height, width)
    transpose: bool = False
    flip_horizontal: bool = False
    flip_vertical: bool = False
    crop: Crop | None = None
    gains: tuple[float, float, float] | None = None  # factors of the colour channels


@dataclass(frozen=True)
class TrainPolicy:
    """Flips, perhaps a crop, a random size; the published recipe is that with its defaults."""

    short_sides: tuple[int, ...]
    max_side: int
    flip: float
    vertical_flip: float
    crop: float
    crop_short_sides: tuple[int, ...]
    crop_sides: tuple[int, int]
    crop_least_visible: float = 0.0
    transpose: float = 0.0
    colour: float = 0.0

    def plan(self, height: int, width: int, draws: np.ndarray) -> TransformPlan:
        """Plan for an image of ``height`` x ``width``; ``draws`` is [DRAWS] uniform in [0, 1)."""
        flip, vertical_flip, use_crop, short_side = draws[:4]
        transpose = bool(draws[9] < self.transpose)
        if transpose:
            height, width = width, height
        crop = self._plan_crop(height, width, draws[4:9]) if use_crop < self.crop else None
        source = (crop.height, crop.width) if crop else (height, width)
        return TransformPlan(
            resized_size(*source, _choose(self.short_sides, short_side), self.max_side),
            transpose,
            bool(flip < self.flip),
            bool(vertical_flip < self.vertical_flip),
            crop,
            self._plan_gains(draws[10:13]) if self.colour > 0 else None,
        )

    def _plan_gains(self, draws: np.ndarray) -> tuple[float, float, float]:
        """Factors uniform within 1 - ``colour`` and 1 + ``colour``, one per channel."""
        red, green, blue = (1 + self.colour * (2 * draws - 1)).tolist()
        return red, green, blue

    def _plan_crop(self, height: int, width: int, draws: np.ndarray) -> Crop:
        """A window whose sides are uniform within ``crop_sides``, limited by the resized image."""
        short_side = _choose(self.crop_short_sides, draws[0])
        resized = resized_size(height, width, short_side, short_side * _MAX_CROP_ASPECT)
        sides = [
            _integer(min(side, self.crop_sides[0]), min(side, self.crop_sides[1]), draw)
            for side, draw in zip(resized, draws[1:3], strict=True)
        ]
        top, left = (
            _integer(0, whole - side, draw)
            for whole, side, draw in zip(resized, sides, draws[3:5], strict=True)
        )
        return Crop(resized, top, left, sides[0], sides[1], self.crop_least_visible)


@dataclass(frozen=True)
class EvalPolicy:
    """One fixed size, nothing random."""

    short_side: int
    max_side: int

    def plan(self, height: int, width: int, draws: np.ndarray) -> TransformPlan:
        """Plan for an image of ``height`` x ``width``; ``draws`` is not used."""
        return TransformPlan(resized_size(height, width, self.short_side, self.max_side))


def draw_epoch(seed: int, epoch: int, count: int) -> np.ndarray:
    """[count, DRAWS] uniform numbers: image i of an epoch gets row i, whoever loads it."""
    return np.random.default_rng((seed, epoch)).random((count, DRAWS))


def _choose(values: Sequence[int], draw: float) -> int:
    return values[_integer(0, len(values) - 1, draw)]


def _integer(low: int, high: int, draw: float) -> int:
    """The integer in [low, high] that a uniform draw from [0, 1) stands for."""
    return min(low + int(draw * (high - low + 1)), high)


def resized_size(height: int, width: int, short_side: int, max_side: int) -> tuple[int, int]:
    """(height, width) with the short side at ``short_side``, unless the long one exceeds the limit.

    The same rounding as detectron2's ResizeShortestEdge; never below one pixel.
    """
    scale = short_side / min(height, width)
    if height < width:
        new_height, new_width = float(short_side), scale * width
    else:
        new_height, new_width = scale * height, float(short_side)
    if max(new_height, new_width) > max_side:
        shrink = max_side / max(new_height, new_width)
        new_height, new_width = new_height * shrink, new_width * shrink
    return max(int(new_height + 0.5), 1), max(int(new_width + 0.5), 1)


def transpose(item: AnnotatedImage) -> AnnotatedImage:
    """Exchange rows and columns: with both flips, all eight views of a picture from above."""
    boxes = np.ascontiguousarray(item.boxes[:, [1, 0, 3, 2]])
    return AnnotatedImage(cv2.transpose(item.image), boxes, item.labels)


def flip_horizontal(item: AnnotatedImage) -> AnnotatedImage:
    """Mirror left and right."""
    width = item.image.shape[1]
    x1, y1, x2, y2 = item.boxes.T
    boxes = np.stack([width - x2, y1, width - x1, y2], axis=1)
    return AnnotatedImage(cv2.flip(item.image, _LEFT_RIGHT), boxes, item.labels)


def flip_vertical(item: AnnotatedImage) -> AnnotatedImage:
    """Mirror top and bottom."""
    height = item.image.shape[0]
    x1, y1, x2, y2 = item.boxes.T
    boxes = np.stack([x1, height - y2, x2, height - y1], axis=1)
    return AnnotatedImage(cv2.flip(item.image, _TOP_BOTTOM), boxes, item.labels)


def resize(item: AnnotatedImage, size: tuple[int, int]) -> AnnotatedImage:
    """Resize to (height, width)."""
    height, width = item.image.shape[:2]
    factors = np.array([size[1] / width, size[0] / height] * 2, np.float32)
    image = resize_bilinear_antialiased(item.image, size)
    return AnnotatedImage(image, item.boxes * factors, item.labels)


def crop(item: AnnotatedImage, window: Crop) -> AnnotatedImage:
    """Cut a window out; boxes are clipped to it, those with too little or nothing left go."""
    top, left, height, width = window.top, window.left, window.height, window.width
    image = np.ascontiguousarray(item.image[top : top + height, left : left + width])
    moved: np.ndarray = item.boxes - np.array([left, top, left, top], np.float32)
    cut = np.clip(moved, 0, np.array([width, height, width, height], np.float32))
    keep = _areas(cut) >= window.least_visible * _areas(moved)
    return clip_boxes(AnnotatedImage(image, cut[keep], item.labels[keep]))


def _areas(boxes: np.ndarray) -> np.ndarray:
    """[n, 4] corners -> [n]."""
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def clip_boxes(item: AnnotatedImage) -> AnnotatedImage:
    """Clip boxes to the image and drop those that have no area left."""
    height, width = item.image.shape[:2]
    boxes = np.clip(item.boxes, 0, np.array([width, height, width, height], np.float32))
    keep = ((boxes[:, 2:] - boxes[:, :2]) > _MIN_BOX_SIDE).all(axis=1)
    return AnnotatedImage(item.image, boxes[keep], item.labels[keep])


def recolour(image: np.ndarray, gains: tuple[float, float, float]) -> np.ndarray:
    """Each channel times its factor, rounded and limited to 0..255: [H, W, 3] uint8."""
    table = np.arange(256)[None, :, None] * np.array(gains)  # [1, 256, 3]
    return cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8))


def apply_plan(item: AnnotatedImage, plan: TransformPlan) -> AnnotatedImage:
    """Carry out a plan."""
    if plan.transpose:
        item = transpose(item)
    if plan.flip_horizontal:
        item = flip_horizontal(item)
    if plan.flip_vertical:
        item = flip_vertical(item)
    if plan.crop is not None:
        item = crop(resize(item, plan.crop.resized), plan.crop)
    item = clip_boxes(resize(item, plan.size))
    if plan.gains is None:
        return item
    return AnnotatedImage(recolour(item.image, plan.gains), item.boxes, item.labels)


def normalise(
    image: np.ndarray,
    mean: Sequence[float],
    std: Sequence[float],
    out: np.ndarray | None = None,
) -> np.ndarray:
    """(image - mean) / std per channel.

    Args:
        image: [H, W, 3] uint8.
        mean: of each channel, 0..255.
        std: of each channel.
        out: [3, H, W] float32 to write into, such as a corner of a padded batch.

    Returns:
        [3, H, W] float32.
    """
    if out is None:
        out = np.empty((3, *image.shape[:2]), np.float32)
    values = np.arange(256, dtype=np.float32)
    for channel in range(3):
        table = (values - np.float32(mean[channel])) * np.float32(1 / std[channel])
        out[channel] = cv2.LUT(cv2.extractChannel(image, channel), table)
    return out
