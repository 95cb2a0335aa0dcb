"""The predictor prepares pictures by the test rule and maps detections back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focus_detr.config.schema import BackboneConfig, DataConfig, ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.inference.predictor import Predictor, with_test_size

DATA = DataConfig(test_short_side=64, test_max_side=128)
MODEL = ModelConfig(backbone=BackboneConfig(pixel_mean=(0, 0, 0), pixel_std=(1, 1, 1)))


class FakeDetector:
    """Remembers what it saw; finds the left upper quarter, a corner, and a filler row."""

    def __init__(self) -> None:
        self.images = np.zeros(0)
        self.sizes = np.zeros(0)

    def __call__(self, images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
        self.images, self.sizes = np.asarray(images), np.asarray(image_sizes)
        boxes = np.float32([[[0.9, 0.9, 1.2, 1.2], [0, 0, 0.5, 0.5], [0, 0, 1, 1]]])
        scores = np.float32([[0.4, 0.8, -1]])
        return scores, np.array([[1, 0, 5]]), boxes, np.array([[3, 1, 0]]), np.array([[2, 1]])


def picture(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (10, 20, 30), np.uint8)


def test_boxes_names_and_threshold() -> None:
    predictor = Predictor(FakeDetector(), ("cat", "dog"), MODEL, DATA)
    prediction = predictor.predict(picture(100, 200))
    assert prediction.names == ("cat", "dog")
    expected = [[0, 0, 100, 50], [180, 90, 200, 100]]
    np.testing.assert_allclose(prediction.detections.boxes, expected, rtol=1e-6)
    assert prediction.above(0.5).names == ("cat",)
    assert len(prediction.above(0.9).detections.scores) == 0


def test_picture_is_resized_normalised_and_padded_to_a_bucket() -> None:
    detector = FakeDetector()
    prediction = Predictor(detector, ("cat", "dog"), MODEL, DATA).predict(picture(80, 100))
    assert detector.sizes.tolist() == [[64, 80]]
    assert detector.images.shape == (1, 3, 64, 96)
    np.testing.assert_allclose(detector.images[0, :, 40, 79], [10, 20, 30], atol=1e-5)
    assert not detector.images[..., 80:].any()
    assert prediction.tokens.level_shapes == ((8, 12), (4, 6), (2, 3), (1, 2))
    assert prediction.tokens.image_size == (64, 80)
    assert prediction.tokens.counts.tolist() == [2, 1]


def test_all_sizes_share_few_buckets() -> None:
    detector = FakeDetector()
    predictor = Predictor(detector, ("cat", "dog"), MODEL, DATA)
    shapes = set()
    for height, width in ((30, 30), (30, 900), (900, 30), (77, 100), (100, 77), (500, 333)):
        predictor.predict(picture(height, width))
        shapes.add(detector.images.shape)
        assert (detector.sizes[0] <= detector.images.shape[2:]).all()
    assert len(shapes) <= 4


@pytest.mark.parametrize(
    ("limit", "most", "scores"),
    [
        (None, 3, [0.8, 0.4, 0.25]),
        (0.5, 3, [0.8, 0.25]),
        (0.5, 2, [0.8, 0.25]),  # counted after the second is gone
        (0.5, 1, [0.8]),
    ],
)
def test_the_model_settings_say_what_stays(
    limit: float | None, most: int, scores: list[float]
) -> None:
    def found(images: object, image_sizes: object) -> tuple[np.ndarray, ...]:
        boxes = np.float32([[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [0.5, 0.5, 1, 1]]])
        nothing = np.zeros((1, 1), int)
        return np.float32([[0.8, 0.4, 0.25]]), np.zeros((1, 3), int), boxes, nothing, nothing

    model = replace(MODEL, overlap_limit=limit, max_detections=most)
    prediction = Predictor(found, ("cat",), model, DATA).predict(picture(64, 64))
    np.testing.assert_allclose(prediction.detections.scores, scores)


def test_unknown_label_gets_a_number_for_a_name() -> None:
    prediction = Predictor(FakeDetector(), ("cat",), MODEL, DATA).predict(picture(64, 64))
    assert prediction.names == ("cat", "class 1")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (picture(29, 100), "100x29 pixels"),
        (np.zeros((64, 64), np.uint8), "uint8, got"),
        (np.zeros((64, 64, 4), np.uint8), "uint8, got"),
        (np.zeros((64, 64, 3), np.float32), "float32"),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray, message: str) -> None:
    with pytest.raises(FocusDetrError, match=message):
        Predictor(FakeDetector(), ("cat",), MODEL, DATA).predict(image)


@pytest.mark.parametrize(
    ("short_side", "max_side", "expected"),
    [
        (None, None, (64, 128)),
        (None, 100, (64, 100)),
        (None, 40, (40, 40)),
        (96, None, (96, 128)),
        (200, None, (200, 200)),
        (70, 75, (70, 75)),
    ],
)
def test_a_side_that_is_not_given_is_the_checkpoint_s(
    short_side: int | None, max_side: int | None, expected: tuple[int, int]
) -> None:
    size = with_test_size(DATA, short_side, max_side)
    assert (size.test_short_side, size.test_max_side) == expected
