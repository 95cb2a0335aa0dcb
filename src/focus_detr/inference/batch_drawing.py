"""Batches drawn as the model is fed: transformed pictures, their boxes, and their padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.data.json_fields import ImageId
from focus_detr.inference.drawing import draw_boxes

_STRIPE = 8  # pixels
_STRIPE_TONES = (48, 80)  # grey levels of the padding, which has none of its own


def draw_batch(
    batch: Batch, class_names: Sequence[str], mean: Sequence[float], std: Sequence[float]
) -> Iterator[tuple[ImageId, np.ndarray]]:
    """Draw each image of a batch with boxes and class names; padding is striped.

    Args:
        batch: normalised images and padded targets.
        class_names: in class order.
        mean: of each channel, 0..255, as the batch was normalised.
        std: of each channel.

    Yields:
        Image id and [s*H, s*W, 3] uint8 RGB with s = ``drawing_scale``; blank slots are left out.
    """
    for slot, image_id in enumerate(batch.image_ids):
        if image_id is not BLANK_ID:
            boxes, labels = _targets(batch, slot)
            canvas = _picture(batch, slot, mean, std)
            texts = [class_names[label] for label in labels]
            yield image_id, draw_boxes(canvas, boxes, labels, texts)


def unnormalised(image: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[3, H, W] as in a batch -> [H, W, 3] uint8 RGB; statistics as for ``draw_batch``."""
    channels = image.transpose(1, 2, 0)  # [3, H, W] -> [H, W, 3]
    return np.clip(np.rint(channels * np.array(std) + np.array(mean)), 0, 255).astype(np.uint8)


def _targets(batch: Batch, slot: int) -> tuple[np.ndarray, list[int]]:
    """Corners in pixels [n, 4] and labels of the real boxes."""
    valid = batch.box_valid[slot] > 0
    height, width = batch.image_sizes[slot].tolist()
    centres, sides = np.split(batch.boxes[slot][valid], 2, axis=1)  # [n, 2] each
    corners = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)  # [n, 4]
    return corners * [width, height, width, height], batch.labels[slot][valid].tolist()


def _picture(batch: Batch, slot: int, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """[H, W, 3] uint8 RGB, stripes where the image has padding."""
    pixels = unnormalised(batch.images[slot], mean, std)
    height, width = batch.image_sizes[slot]
    rows, columns = np.indices(pixels.shape[:2])
    stripes = np.where((rows + columns) // _STRIPE % 2, *_STRIPE_TONES)
    inside = (rows < height) & (columns < width)
    return np.where(inside[..., None], pixels, stripes[..., None]).astype(np.uint8)
