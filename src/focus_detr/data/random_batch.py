"""Random images and boxes, on which networks are timed and devices compared."""

from __future__ import annotations

import numpy as np

from focus_detr.config.schema import Config
from focus_detr.data.batch import Batch

BOXES = 10  # real boxes per image


def random_image(height: int, width: int) -> np.ndarray:
    """One image without padding, [1, 3, height, width] float32."""
    return np.random.default_rng(0).standard_normal((1, 3, height, width)).astype(np.float32)


def random_batch(config: Config, num_classes: int, height: int, width: int) -> Batch:
    """``train.batch_size`` images without padding, with ten boxes each in the first bucket."""
    random = np.random.default_rng(0)
    size, targets = config.train.batch_size, config.data.target_buckets[0]
    boxes = np.tile(np.array([0.5, 0.5, 1.0, 1.0], np.float32), (size, targets, 1))
    boxes[:, :BOXES, :2] = random.uniform(0.3, 0.7, boxes[:, :BOXES, :2].shape)
    boxes[:, :BOXES, 2:] = random.uniform(0.05, 0.5, boxes[:, :BOXES, 2:].shape)
    valid = np.arange(targets) < BOXES
    sizes = np.full((size, 2), (height, width), np.int32)
    return Batch(
        images=random.standard_normal((size, 3, height, width)).astype(np.float32),
        image_sizes=sizes,
        boxes=boxes,
        labels=(random.integers(0, num_classes, (size, targets)) * valid).astype(np.int32),
        box_valid=np.tile(valid.astype(np.float32), (size, 1)),
        image_ids=tuple(range(size)),
        original_sizes=sizes,
    )
