"""Pictures are written whole, in RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focus_detr.data.image_io import read_image
from focus_detr.errors import FocusDetrError
from focus_detr.inference.image_writing import write_image


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("b.JPG", 6), ("c.jpeg", 6)])
def test_round_trip(tmp_path: Path, name: str, tolerance: int) -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    image[:, :25] = (250, 120, 10)
    image[20:, :] = (20, 60, 230)
    write_image(tmp_path / "new" / name, image)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]
    difference = np.abs(read_image(tmp_path / "new" / name).astype(int) - image)
    assert np.median(difference) <= tolerance


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"written as \.png or \.jpg"):
        write_image(tmp_path / "a.gif", np.zeros((4, 4, 3), np.uint8))
