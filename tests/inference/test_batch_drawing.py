"""Batches are drawn as they are."""

from __future__ import annotations

import numpy as np

from focus_detr.data.buckets import ShapeBuckets
from focus_detr.data.collate import BLANK_ID, LoadedImage, blank_image, collate
from focus_detr.data.transforms import AnnotatedImage
from focus_detr.inference.batch_drawing import draw_batch
from focus_detr.inference.palette import class_colour

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
BUCKET = ShapeBuckets(((640, 700),)).bucket_for(1, 1)


def test_pixels_boxes_and_padding_are_seen() -> None:
    image = np.full((600, 640, 3), (10, 200, 90), np.uint8)
    boxes, labels = np.float32([[100, 200, 300, 400]]), np.int32([1])
    items = [LoadedImage(AnnotatedImage(image, boxes, labels), 5, (600, 640)), blank_image(BUCKET)]
    batch, _ = collate(items, BUCKET, 3, MEAN, STD)
    assert batch.image_ids == (5, BLANK_ID)
    ((image_id, drawn),) = draw_batch(batch, ("cat", "dog"), MEAN, STD)
    assert image_id == 5
    assert drawn.shape == (*BUCKET, 3)
    assert tuple(drawn[500, 500]) == (10, 200, 90)
    for x, y in ((100, 300), (299, 300), (250, 399)):
        assert tuple(drawn[y, x]) == class_colour(1)
    padding = np.concatenate([drawn[600:].reshape(-1, 3), drawn[:, 640:].reshape(-1, 3)])
    assert set(np.unique(padding)) == {48, 80}
