"""Inside the graph pictures are prepared, and boxes mapped back, exactly as outside."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn

from focus_detr.config.schema import BackboneConfig
from focus_detr.exporting.cells import PixelNormalisation, boxes_in_file
from focus_detr.inference.postprocess import to_detections
from focus_detr.inference.preparation import Preparation

BACKBONE = BackboneConfig()


def test_normalisation_equals_that_of_the_predictor() -> None:
    rng = np.random.default_rng(0)
    prepared = [
        Preparation(64, 96, ((64, 96),))(rng.integers(0, 256, size, np.uint8))
        for size in ((50, 70, 3), (64, 96, 3), (90, 40, 3))
    ]
    cell = PixelNormalisation(BACKBONE.pixel_mean, BACKBONE.pixel_std)
    pixels = np.stack([item.padded() for item in prepared])
    sizes = np.array([item.size for item in prepared], np.int32)
    found = cell(Tensor(pixels), Tensor(sizes)).asnumpy()
    mean, std = BACKBONE.pixel_mean, BACKBONE.pixel_std
    expected = np.stack([item.normalised(mean, std) for item in prepared])
    np.testing.assert_array_equal(found, expected)


class InFile(nn.Cell):
    def construct(self, boxes: Tensor, sizes: Tensor) -> Tensor:
        return boxes_in_file(boxes, sizes)


def test_boxes_equal_those_of_the_predictor() -> None:
    rng = np.random.default_rng(1)
    starts = rng.uniform(-0.2, 0.6, (2, 7, 2))
    boxes = np.concatenate([starts, starts + rng.uniform(0.3, 0.9, (2, 7, 2))], axis=2)
    boxes = boxes.astype(np.float32)
    sizes = np.array([[480, 641], [33, 1200]], np.int32)
    found = InFile()(Tensor(boxes), Tensor(sizes)).asnumpy()
    scores, labels = np.linspace(1, 0.1, 7, dtype=np.float32), np.zeros(7, int)
    for index, (height, width) in enumerate(sizes.tolist()):
        expected = to_detections(scores, labels, boxes[index], (height, width))
        np.testing.assert_array_equal(found[index], expected.boxes)
