"""Boxes follow their pixels through every transform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.transforms import (
    DRAWS,
    AnnotatedImage,
    Crop,
    EvalPolicy,
    TrainPolicy,
    TransformPlan,
    apply_plan,
    crop,
    draw_epoch,
    flip_horizontal,
    flip_vertical,
    normalise,
    recolour,
    resize,
    resized_size,
    transpose,
)

POLICY = TrainPolicy(
    short_sides=(480, 512, 800),
    max_side=1333,
    flip=0.5,
    vertical_flip=0.0,
    crop=0.5,
    crop_short_sides=(400, 500, 600),
    crop_sides=(384, 600),
)
sides = st.integers(1, 60)


@st.composite
def painted(draw: st.DrawFn) -> AnnotatedImage:
    """A black image with one white rectangle and the box of that rectangle, in whole pixels."""
    height, width = draw(sides), draw(sides)
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x2, y2 = draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))
    return paint(height, width, (x1, y1, x2, y2))


def paint(height: int, width: int, box: tuple[int, int, int, int]) -> AnnotatedImage:
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return AnnotatedImage(image, np.array([box], np.float32), np.array([4], np.int32))


def white_box(image: np.ndarray) -> list[int]:
    """Corners of the white rectangle."""
    rows, columns = np.nonzero(image[:, :, 0])
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@given(painted())
def test_flipped_boxes_enclose_their_pixels(item: AnnotatedImage) -> None:
    for flip in (flip_horizontal, flip_vertical, transpose):
        flipped = flip(item)
        np.testing.assert_array_equal(flipped.boxes[0], white_box(flipped.image))
        again = flip(flipped)
        np.testing.assert_array_equal(again.image, item.image)
        np.testing.assert_array_equal(again.boxes, item.boxes)


def test_transposing_exchanges_x_and_y() -> None:
    turned = transpose(paint(20, 30, (2, 3, 12, 5)))
    assert turned.image.shape == (30, 20, 3)
    assert turned.boxes.tolist() == [[3, 2, 5, 12]]


@pytest.mark.parametrize(("least_visible", "kept"), [(0.0, 2), (0.25, 2), (0.3, 1)])
def test_a_crop_drops_boxes_of_which_it_leaves_too_little(least_visible: float, kept: int) -> None:
    item = paint(20, 20, (2, 2, 6, 6))
    quarter_inside = np.array([[2, 2, 6, 6], [8, 8, 12, 12]], np.float32)
    item = AnnotatedImage(item.image, quarter_inside, np.array([0, 1], np.int32))
    cropped = crop(item, Crop((20, 20), 0, 0, 10, 10, least_visible))
    assert cropped.labels.tolist() == [0, 1][:kept]


def test_recolouring_scales_each_channel_and_stays_a_picture() -> None:
    image = np.full((2, 3, 3), 200, np.uint8)
    assert recolour(image, (0.5, 1.0, 1.5))[0, 0].tolist() == [100, 200, 255]
    assert (recolour(image, (1.0, 1.0, 1.0)) == image).all()


@given(st.integers(0, 2**32))
def test_gains_stay_within_the_limit_and_are_off_by_default(seed: int) -> None:
    draws = np.random.default_rng(seed).random(DRAWS)
    assert POLICY.plan(480, 640, draws).gains is None
    gains = replace(POLICY, colour=0.2).plan(480, 640, draws).gains
    assert gains is not None
    assert all(0.8 <= gain <= 1.2 for gain in gains)


def test_a_transposed_plan_fits_the_transposed_picture() -> None:
    draws = np.full(DRAWS, 0.9)
    policy = replace(POLICY, transpose=1.0, crop=0.0)
    assert policy.plan(480, 640, draws).size == POLICY.plan(640, 480, draws).size
    result = apply_plan(paint(48, 64, (2, 3, 12, 5)), TransformPlan((64, 48), transpose=True))
    assert result.boxes.tolist() == [[3, 2, 5, 12]]


@given(painted(), st.data())
def test_cropped_boxes_enclose_their_pixels(item: AnnotatedImage, data: st.DataObject) -> None:
    whole_height, whole_width = item.image.shape[:2]
    height, width = data.draw(st.integers(1, whole_height)), data.draw(st.integers(1, whole_width))
    top = data.draw(st.integers(0, whole_height - height))
    left = data.draw(st.integers(0, whole_width - width))
    cropped = crop(item, Crop((whole_height, whole_width), top, left, height, width))
    assert cropped.image.shape == (height, width, 3)
    if cropped.image.any():
        np.testing.assert_array_equal(cropped.boxes, [white_box(cropped.image)])
        assert cropped.labels.tolist() == [4]
    else:
        assert cropped.boxes.shape == (0, 4)
        assert cropped.labels.shape == (0,)


@given(painted(), sides, sides)
def test_resized_boxes_keep_their_place(item: AnnotatedImage, height: int, width: int) -> None:
    resized = resize(item, (height, width))
    assert resized.image.shape == (height, width, 3)
    before = np.array(item.image.shape[1::-1] * 2)
    after = np.array([width, height] * 2)
    np.testing.assert_allclose(resized.boxes / after, item.boxes / before, atol=1e-6)


@given(painted(), st.integers(2, 5))
def test_enlarged_boxes_enclose_their_pixels(item: AnnotatedImage, factor: int) -> None:
    height, width = item.image.shape[:2]
    resized = resize(item, (height * factor, width * factor))
    bright = np.where(resized.image > 127, 255, 0)
    np.testing.assert_allclose(resized.boxes[0], white_box(bright), atol=1)


@pytest.mark.parametrize(
    ("size", "short", "longest", "expected"),
    [
        ((480, 640), 800, 1333, (800, 1067)),
        ((640, 480), 800, 1333, (1067, 800)),
        ((427, 640), 800, 1333, (800, 1199)),
        ((360, 640), 800, 1333, (750, 1333)),
        ((500, 500), 480, 1333, (480, 480)),
        ((1, 4000), 800, 1333, (1, 1333)),
        ((4000, 1), 800, 1333, (1333, 1)),
    ],
)
def test_resized_size(
    size: tuple[int, int], short: int, longest: int, expected: tuple[int, int]
) -> None:
    assert resized_size(*size, short, longest) == expected


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 1000))
def test_training_plans_stay_within_their_limits(height: int, width: int, seed: int) -> None:
    plan = POLICY.plan(height, width, draw_epoch(seed, 0, 1)[0])
    assert max(plan.size) <= 1333
    assert min(plan.size) <= 800
    if plan.crop is None:
        assert plan.size in [resized_size(height, width, s, 1333) for s in POLICY.short_sides]
        return
    window = plan.crop
    for side, whole, start in (
        (window.height, window.resized[0], window.top),
        (window.width, window.resized[1], window.left),
    ):
        assert min(384, whole) <= side <= min(600, whole)
        assert 0 <= start <= whole - side


def test_training_plans_use_every_choice() -> None:
    plans = [POLICY.plan(480, 640, draws) for draws in draw_epoch(0, 0, 8000)]
    crops = [plan.crop for plan in plans if plan.crop]
    assert len(crops) / len(plans) == pytest.approx(0.5, abs=0.04)
    assert np.mean([plan.flip_horizontal for plan in plans]) == pytest.approx(0.5, abs=0.04)
    assert not any(plan.flip_vertical for plan in plans)
    assert {window.resized[0] for window in crops} == {400, 500, 600}
    assert {window.width for window in crops} == set(range(384, 601))
    assert {min(plan.size) for plan in plans if not plan.crop} == {480, 512, 800}


def test_evaluation_plan_has_one_size() -> None:
    plan = EvalPolicy(800, 1333).plan(480, 640, np.zeros(DRAWS))
    assert plan == TransformPlan((800, 1067))


def test_plan_is_carried_out_in_order() -> None:
    item = paint(20, 40, (0, 0, 10, 10))
    window = Crop(resized=(40, 80), top=20, left=50, height=20, width=20)
    plan = TransformPlan((40, 40), flip_horizontal=True, flip_vertical=True, crop=window)
    # flipped to (30, 10, 40, 20), doubled to (60, 20, 80, 40), cropped to (10, 0, 20, 20)
    result = apply_plan(item, plan)
    np.testing.assert_array_equal(result.boxes, [[20, 0, 40, 40]])
    assert result.image[20, 30, 0] == 255
    assert result.image[20, 10, 0] == 0


def test_draws_depend_on_seed_epoch_and_index() -> None:
    draws = draw_epoch(1, 2, 5)
    np.testing.assert_array_equal(draws[:3], draw_epoch(1, 2, 3))
    assert len(np.unique(draws)) == draws.size
    assert not np.intersect1d(draws, draw_epoch(1, 3, 5)).size
    assert not np.intersect1d(draws, draw_epoch(2, 2, 5)).size


@pytest.mark.parametrize("size", [(5, 7), (1, 9), (9, 1)])
def test_normalise_equals_the_formula_bit_for_bit(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    padded = np.zeros((3, 12, 12), np.float32)
    normalise(image, mean, std, out=padded[:, : size[0], : size[1]])
    for channel in range(3):
        expected = image[:, :, channel].astype(np.float32) - np.float32(mean[channel])
        expected *= np.float32(1 / std[channel])
        np.testing.assert_array_equal(padded[channel, : size[0], : size[1]], expected)
    assert not padded[:, size[0] :].any()
    assert not padded[:, :, size[1] :].any()


@pytest.mark.parametrize("size", [(5, 7), (1, 9), (9, 1)])
def test_views_hold_the_same_pixels(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    item = AnnotatedImage(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    np.testing.assert_array_equal(flip_horizontal(item).image, image[:, ::-1])
    np.testing.assert_array_equal(flip_vertical(item).image, image[::-1])
    np.testing.assert_array_equal(transpose(item).image, image.swapaxes(0, 1))


def test_normalise_by_channel() -> None:
    image = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
    result = normalise(image, (10, 10, 10), (1, 2, 5))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[[0, 30]], [[5, 20]], [[4, 10]]], rtol=1e-6)
