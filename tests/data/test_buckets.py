"""Shape buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.buckets import ShapeBuckets, default_buckets, fit_size
from focus_detr.data.transforms import resized_size

BUCKETS = ShapeBuckets(((64, 96), (96, 64), (96, 96)))
sides = st.integers(1, 3000)


def test_default_buckets_of_the_published_sizes() -> None:
    expected = ((800, 1088), (1088, 800), (800, 1344), (1344, 800))
    assert default_buckets(800, 1333) == expected


def test_default_buckets_of_equal_limits_are_one_square() -> None:
    assert default_buckets(640, 640) == ((640, 640),)


@given(sides, sides, st.integers(32, 1000), st.integers(1, 1000))
def test_default_buckets_hold_every_resized_image(
    height: int, width: int, short: int, more: int
) -> None:
    size = resized_size(height, width, short, short + more)
    buckets = ShapeBuckets(default_buckets(short, short + more))
    assert fit_size(size, buckets.bucket_for(*size)) == size


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((1, 1), (64, 96)),
        ((64, 96), (64, 96)),
        ((65, 10), (96, 64)),
        ((65, 65), (96, 96)),
        ((50, 200), (64, 96)),
        ((200, 50), (96, 64)),
        ((97, 97), (96, 96)),
    ],
)
def test_smallest_or_nearest_bucket(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    assert BUCKETS.bucket_for(*size) == bucket


def test_bucket_for_several_images() -> None:
    assert BUCKETS.bucket_for_all([(30, 90), (90, 30)]) == (96, 96)
    assert BUCKETS.bucket_for_all([(30, 90), (60, 30)]) == (64, 96)
    assert BUCKETS.bucket_for_all([]) == (64, 96)


def test_rounding_instead_of_buckets() -> None:
    exact = ShapeBuckets(BUCKETS.shapes, round_to=32)
    assert exact.bucket_for(33, 64) == (64, 64)
    assert exact.bucket_for_all([(1, 200), (100, 7)]) == (128, 224)


@given(sides, sides)
def test_fitted_sizes_fit_and_touch_the_bucket(height: int, width: int) -> None:
    fitted = fit_size((height, width), (64, 96))
    assert 1 <= fitted[0] <= 64
    assert 1 <= fitted[1] <= 96
    if height <= 64 and width <= 96:
        assert fitted == (height, width)
    else:
        assert fitted[0] == 64 or fitted[1] == 96
