"""Putting transformed images together into a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.json_fields import ImageId
from focus_detr.data.target_padding import pad_targets
from focus_detr.data.transforms import AnnotatedImage, normalise

BLANK_ID = None  # image id of a slot that only fills the batch


@dataclass(frozen=True)
class LoadedImage:
    """A transformed image and where it came from."""

    content: AnnotatedImage
    image_id: ImageId | None
    original_size: tuple[int, int]  # (height, width) of the file


def blank_image(bucket: tuple[int, int]) -> LoadedImage:
    """A black image without boxes that fills its bucket."""
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
    content = AnnotatedImage(np.zeros((*bucket, 3), np.uint8), *empty)
    return LoadedImage(content, BLANK_ID, bucket)


def collate(
    items: Sequence[LoadedImage],
    bucket: tuple[int, int],
    capacity: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> tuple[Batch, int]:
    """Normalise and pad images and targets.

    Args:
        items: B images, none larger than the bucket.
        bucket: (H, W) of the batch.
        capacity: T, slots for the boxes of an image.
        mean: of each channel, 0..255.
        std: of each channel.

    Returns:
        The batch and the number of boxes that found no slot.
    """
    images = np.zeros((len(items), 3, *bucket), np.float32)
    sizes = [item.content.image.shape[:2] for item in items]
    for item, target, (height, width) in zip(items, images, sizes, strict=True):
        normalise(item.content.image, mean, std, out=target[:, :height, :width])
    targets = [
        pad_targets(item.content.boxes, item.content.labels, (height, width), capacity)
        for item, (height, width) in zip(items, sizes, strict=True)
    ]
    batch = Batch(
        images=images,
        image_sizes=np.array(sizes, np.int32),
        boxes=np.stack([target.boxes for target in targets]),
        labels=np.stack([target.labels for target in targets]),
        box_valid=np.stack([target.valid for target in targets]),
        image_ids=tuple(item.image_id for item in items),
        original_sizes=np.array([item.original_size for item in items], np.int32),
    )
    return batch, sum(target.dropped for target in targets)
