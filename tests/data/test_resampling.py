"""Resizing against Pillow's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from focus_detr.data import resampling
from focus_detr.data.resampling import resize_bilinear_antialiased


def ramp(height: int, width: int) -> np.ndarray:
    """[height, width, 3] uint8 with steep steps, different in each channel."""
    grey = (np.arange(5 * 7) * 37 % 256).astype(np.uint8).reshape(5, 7)
    return np.stack([grey, 255 - grey, grey // 2], axis=2)[:height, :width].copy()


# What Pillow 13 gives with BILINEAR.
SHRUNK = [
    [[35, 220, 17], [114, 141, 57], [193, 62, 96]],
    [[41, 214, 20], [120, 135, 60], [199, 56, 99]],
]
TALLER_AND_NARROWER = [
    *([32, 111, 190], [33, 112, 191], [35, 114, 193], [37, 116, 195]),
    *([39, 118, 197], [41, 120, 199], [43, 122, 201], [44, 123, 202]),
]
ENLARGED = [[0, 15, 37, 59, 74], [2, 17, 39, 61, 76], [3, 18, 40, 62, 77]]


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3)).astype(np.uint8)
    whole = resize_bilinear_antialiased(image, (31, 23))
    for values in (90 * 64, 90 * 7, 1):
        monkeypatch.setattr(resampling, "_STRIP_VALUES", values)
        np.testing.assert_array_equal(resize_bilinear_antialiased(image, (31, 23)), whole)


def assert_within_one(actual: np.ndarray, expected: object) -> None:
    assert actual.dtype == np.uint8
    np.testing.assert_allclose(actual.astype(int), np.asarray(expected, int), atol=1)


def test_equals_pillow() -> None:
    assert_within_one(resize_bilinear_antialiased(ramp(5, 7), (2, 3)), SHRUNK)
    narrow = resize_bilinear_antialiased(ramp(5, 7), (8, 3))
    assert_within_one(narrow[:, :, 0], TALLER_AND_NARROWER)
    assert_within_one(resize_bilinear_antialiased(ramp(2, 3), (3, 5))[:, :, 0], ENLARGED)


@pytest.mark.parametrize(
    "size", [(61, 40), (30, 44), (97, 131), (200, 300), (50, 300), (1, 1), (96, 1), (13, 130)]
)
def test_equals_installed_pillow(size: tuple[int, int]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    noise = np.random.default_rng(0).integers(0, 256, (97, 131, 3)).astype(np.uint8)
    expected = pillow.fromarray(noise).resize(size[::-1], pillow.Resampling.BILINEAR)
    assert_within_one(resize_bilinear_antialiased(noise, size), np.asarray(expected))


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (200, 7), (400, 300)])
def test_flat_images_stay_flat(size: tuple[int, int]) -> None:
    flat = np.full((31, 17, 3), (10, 128, 250), np.uint8)
    resized = resize_bilinear_antialiased(flat, size)
    np.testing.assert_array_equal(resized, np.broadcast_to((10, 128, 250), (*size, 3)))
