"""Pictures that cannot be read while an epoch is loaded."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from focus_detr.data.broken import BrokenImages
from focus_detr.data.collate import BLANK_ID, LoadedImage, blank_image
from focus_detr.data.transforms import AnnotatedImage
from focus_detr.errors import FocusDetrError

GOOD = LoadedImage(
    AnnotatedImage(
        np.ones((8, 8, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
    ),
    7,
    (8, 8),
)


def load(good: bool) -> LoadedImage:
    if not good:
        raise FocusDetrError("a.jpg is cut off")
    return GOOD


def test_a_blank_takes_the_place_of_a_broken_one(caplog: pytest.LogCaptureFixture) -> None:
    broken = BrokenImages(skip=True)
    assert broken.guard(lambda: load(True), (16, 32)) is GOOD
    blank = broken.guard(lambda: load(False), (16, 32))
    assert blank.image_id == BLANK_ID
    assert blank.content.image.shape == blank_image((16, 32)).content.image.shape
    broken.check_share()
    with caplog.at_level(logging.WARNING):
        broken.warn(3)
    assert "epoch 3: left out 1 broken image; the first: a.jpg is cut off" in caplog.text


def test_without_skipping_it_ends_the_epoch() -> None:
    with pytest.raises(FocusDetrError, match=r"a\.jpg is cut off"):
        BrokenImages(skip=False).guard(lambda: load(False), (16, 32))


def test_mostly_broken_sets_are_refused() -> None:
    broken = BrokenImages(skip=True)
    for good in (True, False, False):
        broken.guard(lambda good=good: load(good), (8, 8))  # type: ignore[misc]
    with pytest.raises(
        FocusDetrError, match=r"2 of 3 images cannot be read; the first: a\.jpg is cut"
    ):
        broken.check_share()


def test_mostly_broken_sets_end_early() -> None:
    broken = BrokenImages(skip=True)
    with pytest.raises(FocusDetrError, match="20 of 20 images cannot be read"):
        for _ in range(100):
            broken.guard(lambda: load(False), (8, 8))


def test_nothing_broken_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    broken = BrokenImages(skip=True)
    broken.check_share()
    broken.warn(0)
    assert not caplog.records
