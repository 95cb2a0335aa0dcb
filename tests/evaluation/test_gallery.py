"""The first images of an evaluation are drawn as the detector sees them."""

from __future__ import annotations

import numpy as np

from focus_detr.config.schema import BackboneConfig, ModelConfig
from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.evaluation.gallery import Gallery
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.palette import class_colour
from focus_detr.inference.token_overlay import draw_token_overlay
from focus_detr.models.geometry import level_shapes

MODEL = ModelConfig(backbone=BackboneConfig(pixel_mean=(10, 20, 30), pixel_std=(2, 2, 2)))
COLOUR = (50, 120, 200)
BUCKET, SIZE = (64, 96), (48, 80)
NAMES = ("cat", "dog")


def _batch(*image_ids: int) -> Batch:
    """Images of one colour with padding; their targets do not matter."""
    count = len(image_ids)
    images = np.zeros((count, 3, *BUCKET), np.float32)
    images[:, :, : SIZE[0], : SIZE[1]] = ((np.array(COLOUR) - (10, 20, 30)) / 2)[:, None, None]
    return Batch(
        images=images,
        image_sizes=np.tile(np.int32(SIZE), (count, 1)),
        boxes=np.zeros((count, 1, 4), np.float32),
        labels=np.zeros((count, 1), np.int32),
        box_valid=np.zeros((count, 1), np.float32),
        image_ids=image_ids,
        original_sizes=np.full((count, 2), 999, np.int32),
    )


def _outputs(count: int) -> list[np.ndarray]:
    """A dog in the left half, and a cat that is hardly seen; ten tokens, then four of them."""
    each = (
        np.float32([0.9, 0.1]),
        np.array([1, 0]),
        np.float32([[0, 0.25, 0.5, 0.75], [0.6, 0.25, 0.9, 0.75]]),
        np.arange(10),
        np.array([10, 4]),
    )
    return [np.tile(rows, (count, *[1] * rows.ndim)) for rows in each]


def _share(drawn: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((drawn == colour).all(axis=2).mean())


def test_what_is_found_is_drawn_on_the_image_without_its_padding() -> None:
    gallery = Gallery(1, NAMES, MODEL)
    gallery.watch(_batch(7), _outputs(1))
    drawn = gallery.take()["detections/7"]
    assert drawn.shape == (8 * SIZE[0], 8 * SIZE[1], 3)  # enlarged for its letters
    assert _share(drawn, COLOUR) > 0.6
    assert _share(drawn[:, : 4 * SIZE[1]], class_colour(1)) > 0.01
    assert _share(drawn, class_colour(0)) == 0
    assert (drawn[:, 5 * SIZE[1] :] == COLOUR).all()


def test_the_kept_tokens_are_drawn() -> None:
    gallery = Gallery(1, NAMES, MODEL)
    gallery.watch(_batch(7), _outputs(1))
    image = np.full((*SIZE, 3), COLOUR, np.uint8)
    tokens = KeptTokens(np.arange(10), np.array([10, 4]), level_shapes(*BUCKET, 4), SIZE)
    expected = draw_token_overlay(image, tokens, "image 7")
    np.testing.assert_array_equal(gallery.take()["kept_tokens/7"], expected)


def test_only_the_first_images_are_drawn_each_time() -> None:
    gallery = Gallery(2, NAMES, MODEL)
    for _ in range(2):
        for ids in ((7, BLANK_ID), (5, 3), (4,)):
            gallery.watch(_batch(*ids), _outputs(len(ids)))
        names = {"detections/7", "kept_tokens/7", "detections/5", "kept_tokens/5"}
        assert set(gallery.take()) == names
        assert gallery.take() == {}


def test_no_pictures_if_none_are_wanted() -> None:
    gallery = Gallery(0, NAMES, MODEL)
    gallery.watch(_batch(7), _outputs(1))
    assert gallery.take() == {}
