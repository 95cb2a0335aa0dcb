"""Pictures of files and folders, whole or only their sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coco_files import write_coco

from focus_detr.errors import FocusDetrError
from focus_detr.paper import photographs
from focus_detr.paper.photographs import picture_files


def test_sizes_are_read_without_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_coco(tmp_path, [(64, 96), (60, 90), (31, 30)])
    with monkeypatch.context() as patch:
        patch.setattr(photographs, "read_picture", lambda path: pytest.fail("read"))
        files = picture_files([tmp_path], tmp_path / "out", 2, whole=False)
    assert [(file.path.name, file.size) for file in files] == [
        ("1.png", (64, 96)), ("2.png", (60, 90)),
    ]  # fmt: skip
    pixels = files[1].read()
    assert pixels.shape == (60, 90, 3) and pixels.dtype == np.uint8


def test_broken_and_tiny_pictures_of_folders_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_coco(tmp_path, [(64, 96), (60, 90), (29, 90)])
    broken = tmp_path / "2.png"
    broken.write_bytes(broken.read_bytes()[:60])  # the header is whole
    stated = picture_files([tmp_path], tmp_path / "out", 9, whole=False)
    assert [file.size for file in stated] == [(64, 96), (60, 90)]
    assert "3.png: the picture is 90x29 pixels" in caplog.text
    decoded = picture_files([tmp_path], tmp_path / "out", 9, whole=True)
    assert [file.size for file in decoded] == [(64, 96)]


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_to_read_is_refused(tmp_path: Path, whole: bool) -> None:
    write_coco(tmp_path, [(29, 29)])
    with pytest.raises(FocusDetrError, match="no picture can be read in"):
        picture_files([tmp_path], tmp_path / "out", 9, whole=whole)
    with pytest.raises(FocusDetrError, match=r"1\.png: the picture is 29x29 pixels"):
        picture_files([tmp_path / "1.png"], tmp_path / "out", 9, whole=whole)
