"""Batches from images."""

from __future__ import annotations

import numpy as np

from focus_detr.data.collate import BLANK_ID, LoadedImage, blank_image, collate
from focus_detr.data.transforms import AnnotatedImage


def loaded(height: int, width: int, boxes: int) -> LoadedImage:
    image = np.full((height, width, 3), 60, np.uint8)
    corners = np.tile(np.array([0, 0, 2, 1], np.float32), (boxes, 1))
    return LoadedImage(AnnotatedImage(image, corners, np.ones(boxes, np.int32)), 9, (100, 200))


def test_batch_fields() -> None:
    items = [loaded(2, 4, 3), loaded(4, 3, 0), blank_image((4, 5))]
    batch, dropped = collate(items, (4, 5), 2, (50, 50, 50), (10, 10, 10))
    assert dropped == 1
    assert batch.images.shape == (3, 3, 4, 5)
    np.testing.assert_allclose(batch.images[0, :, :2, :4], 1)
    assert batch.images[0].sum() == 3 * 2 * 4  # padding is zero after normalisation
    np.testing.assert_array_equal(batch.image_sizes, [[2, 4], [4, 3], [4, 5]])
    np.testing.assert_array_equal(batch.original_sizes, [[100, 200], [100, 200], [4, 5]])
    np.testing.assert_allclose(batch.boxes[0, 0], [0.25, 0.25, 0.5, 0.5])
    np.testing.assert_array_equal(batch.box_valid, [[1, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(batch.labels, [[1, 1], [0, 0], [0, 0]])
    assert batch.image_ids == (9, 9, BLANK_ID)
