"""What the data pipeline hands to training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focus_detr.data.json_fields import ImageId


@dataclass(frozen=True)
class Batch:
    """Images of one shape bucket with their padded targets.

    Shapes: B images, H x W the bucket, T the padded number of boxes.
    """

    images: np.ndarray  # [B, 3, H, W] float32, RGB, normalised, zero-padded right and bottom
    image_sizes: np.ndarray  # [B, 2] int32, (height, width) of the real image inside the padding
    boxes: np.ndarray  # [B, T, 4] float32, cx cy w h over the image's own size; pad .5 .5 1 1
    labels: np.ndarray  # [B, T] int32, contiguous class index; padding 0
    box_valid: np.ndarray  # [B, T] float32, 1 for a real box; real boxes come first
    image_ids: tuple[ImageId | None, ...]  # None: the place is only filled
    original_sizes: np.ndarray  # [B, 2] int32, (height, width) of the file
