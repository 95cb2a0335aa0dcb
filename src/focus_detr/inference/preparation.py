"""From a picture of any size to the array that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focus_detr.data.buckets import ShapeBuckets, Size, fit_size
from focus_detr.data.image_io import read_image
from focus_detr.data.resampling import resize_bilinear_antialiased
from focus_detr.data.transforms import normalise, resized_size
from focus_detr.errors import FocusDetrError

SMALLEST_SIDE = 30  # pixels; below there is nothing to see


@dataclass(frozen=True)
class PreparedPicture:
    """A picture resized for the network, and the shape that it is padded to."""

    pixels: np.ndarray  # [h, w, 3] uint8 RGB
    bucket: Size  # (H, W), at least (h, w)

    @property
    def size(self) -> Size:
        """(height, width) inside the padding."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def normalised(self, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
        """[3, H, W] float32, zero in the padding."""
        padded = np.zeros((3, *self.bucket), np.float32)
        normalise(self.pixels, mean, std, out=padded[:, : self.size[0], : self.size[1]])
        return padded

    def padded(self) -> np.ndarray:
        """[H, W, 3] uint8, black in the padding."""
        padded = np.zeros((*self.bucket, 3), np.uint8)
        padded[: self.size[0], : self.size[1]] = self.pixels
        return padded


@dataclass(frozen=True)
class Preparation:
    """The rule by which pictures are resized."""

    short_side: int  # pixels that the short side gets, unless the long one would exceed max_side
    max_side: int
    shapes: tuple[Size, ...]  # (H, W) to choose from; a picture that fits none shrinks further

    def __call__(self, image: np.ndarray) -> PreparedPicture:
        """Resize and choose a shape.

        Args:
            image: [H, W, 3] uint8 RGB, at least 30 pixels on each side.

        Raises:
            FocusDetrError: the picture is too small or no such array.
        """
        check_image(image)
        height, width = image.shape[:2]
        planned = resized_size(height, width, self.short_side, self.max_side)
        bucket = ShapeBuckets(self.shapes).bucket_for(*planned)
        resized = resize_bilinear_antialiased(image, fit_size(planned, bucket))
        return PreparedPicture(resized, bucket)


def read_picture(file: Path) -> np.ndarray:
    """Read a picture that a network can look at: [H, W, 3] uint8 RGB.

    Raises:
        FocusDetrError: the file is missing or broken, or the picture is too small.
    """
    picture = read_image(file)
    try:
        check_image(picture)
    except FocusDetrError as error:
        raise FocusDetrError(f"{file}: {error}") from error
    return picture


def check_image(image: np.ndarray) -> None:
    """Refuse what no network can look at.

    Raises:
        FocusDetrError: it is no [H, W, 3] uint8 array, or smaller than 30 pixels on a side.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise FocusDetrError(
            f"a picture must be [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
        )
    check_sides(*image.shape[:2])


def check_sides(height: int, width: int) -> None:
    """Refuse pictures that are too small (pixels).

    Raises:
        FocusDetrError: a side has fewer than 30.
    """
    if min(height, width) < SMALLEST_SIDE:
        raise FocusDetrError(
            f"the picture is {width}x{height} pixels; each side needs at least {SMALLEST_SIDE}"
        )
