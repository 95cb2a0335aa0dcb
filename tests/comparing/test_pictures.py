"""Pictures to compare on: photographs of the user, or drawn ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focus_detr.comparing.pictures import comparison_pictures
from focus_detr.errors import FocusDetrError
from focus_detr.inference.image_writing import write_image


def test_drawn_pictures_are_the_same_every_time() -> None:
    first, second = comparison_pictures(()), comparison_pictures(())
    assert [picture.shape for picture in first] == [(480, 640, 3), (640, 427, 3), (90, 120, 3)]
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == np.uint8 and left.std() > 20


def test_a_photograph_that_is_too_small_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "tiny.png", np.zeros((10, 40, 3), np.uint8))
    with pytest.raises(FocusDetrError, match=r"tiny\.png: the picture is 40x10 pixels; each side"):
        comparison_pictures([tmp_path])


def test_photographs_come_from_files_and_folders(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    write_image(tmp_path / "deep" / "a.png", photo)
    (tmp_path / "deep" / "notes.txt").write_text("no picture")
    (tmp_path / "deep" / "._a.png").write_bytes(b"kept by a system")
    write_image(tmp_path / "@eaDir" / "a.png", photo)
    for path in (tmp_path, tmp_path / "deep" / "a.png"):
        (found,) = comparison_pictures([path])
        np.testing.assert_array_equal(found, photo)
    with pytest.raises(FocusDetrError, match="no pictures in"):
        (tmp_path / "empty").mkdir()
        comparison_pictures([tmp_path / "empty"])
