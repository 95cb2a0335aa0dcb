"""Films and pictures of other kinds in folders of pictures are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focus_detr.comparing.pictures import comparison_pictures
from focus_detr.data.formats import read_annotations
from focus_detr.data.strays import is_read, tell_strays


def test_each_kind_is_counted_in_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    names = ("a.jpg", "b.TIFF", "c.heic", "d.NEF", "e.MOV", "f.mp4", "g.avi", ".jpg")
    assert list(filter(is_read, names)) == ["a.jpg", "b.TIFF"]
    tell_strays([*map(Path, names)])
    assert caplog.messages == [
        "left out 2 pictures of a kind that is not read, such as c.heic: convert it to JPEG or PNG",
        "left out 3 films, such as e.MOV: only pictures are taken from folders",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "film.mp4", "._film.mp4", "b.heic", "notes.md"):
        (tmp_path / "images" / name).touch()
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "images" / "a.png")
    return tmp_path


def test_sets_without_a_list_tell_them(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 .5 .5 .2 .2")
    (folder / "labels" / "classes.txt").write_text("cat")
    (folder / "voc").mkdir()
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    page = f"<annotation><object><name>cat</name><bndbox>{box}</bndbox></object></annotation>"
    (folder / "voc" / "a.xml").write_text(page)
    for source in (folder / "labels", folder / "voc"):
        caplog.clear()
        assert [image.name for image in read_annotations(source).images] == ["a.png"]
        assert "left out 1 picture of a kind that is not read" in caplog.text
        assert f"left out 1 film, such as {folder / 'images' / 'film.mp4'}" in caplog.text


def test_samples_to_compare_tell_them(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [picture.shape for picture in comparison_pictures([folder])] == [(40, 50, 3)]
    assert "left out 1 film" in caplog.text
