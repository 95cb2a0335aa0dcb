"""Packed sets appear whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data import mindrecord_writing
from focus_detr.data.annotations import Annotations
from focus_detr.data.formats import read_annotations
from focus_detr.data.mindrecord_writing import write_mindrecord
from focus_detr.errors import FocusDetrError


@pytest.fixture(autouse=True)
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with the usual header and pages are 48 MiB long."""
    monkeypatch.setattr(mindrecord_writing, "_HEADER", 2**16)
    monkeypatch.setattr(mindrecord_writing, "_PAGE", 2**16)


@pytest.fixture
def annotations(make_coco: MakeCoco) -> Annotations:
    return read_annotations(make_coco([(20, 30)] * 4, [annotation(1, 1, (0, 0, 9, 9))]))


def test_the_folder_holds_the_set_and_nothing_else(
    annotations: Annotations, tmp_path: Path
) -> None:
    write_mindrecord(annotations, tmp_path / "new" / "set", 2)
    names = {path.name for path in (tmp_path / "new" / "set").iterdir()}
    assert names == {f"pictures.mindrecord{i}{end}" for i in (0, 1) for end in ("", ".db")}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set"]
    plain = stat.S_IMODE((tmp_path / "1.png").stat().st_mode)
    for path in (tmp_path / "new" / "set").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == plain


def test_an_existing_folder_stays(annotations: Annotations, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(FocusDetrError, match="set exists already"):
        write_mindrecord(annotations, tmp_path / "set")
    assert not list((tmp_path / "set").iterdir())


def test_a_picture_that_goes_missing_leaves_nothing(
    annotations: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mindrecord_writing, "_CHUNK", 1)
    sizes = mindrecord_writing._file_size

    def size_then_gone(path: Path) -> int:
        size = sizes(path)
        if path.name == "3.png":
            path.unlink()
        return size

    monkeypatch.setattr(mindrecord_writing, "_file_size", size_then_gone)
    with pytest.raises(FocusDetrError, match=r"cannot read image .*3\.png"):
        write_mindrecord(annotations, tmp_path / "new" / "set")
    assert not list((tmp_path / "new").iterdir())


def test_a_full_disk_is_said_beforehand(
    annotations: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = os.statvfs(tmp_path).f_bavail
    monkeypatch.setattr(mindrecord_writing, "_HEADER", usage * 2**20)
    with pytest.raises(FocusDetrError, match=r"cannot write .*set: no space left on the disk"):
        write_mindrecord(annotations, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_picture_beyond_the_largest_page_is_named(
    annotations: Annotations, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(2**28)
    first, *others = annotations.images
    more = dataclasses.replace(annotations, images=(dataclasses.replace(first, path=huge), *others))
    with pytest.raises(FocusDetrError, match=r"huge\.png is too large for MindRecord: 256 MiB"):
        write_mindrecord(more, tmp_path / "set")


def test_larger_pictures_get_larger_pages(annotations: Annotations, tmp_path: Path) -> None:
    with (tmp_path / "1.png").open("ab") as file:
        file.truncate(33 * 2**20)  # what follows a PNG's end is ignored
    write_mindrecord(annotations, tmp_path / "set")
    stored = read_annotations(tmp_path / "set").images[0].stored
    assert stored is not None
    assert stored.read() == (tmp_path / "1.png").read_bytes()


def test_names_outside_utf8_are_refused_before_anything_is_written(
    annotations: Annotations, tmp_path: Path
) -> None:
    with pytest.raises(FocusDetrError, match=r"^MindSpore cannot use .*: .* must be UTF-8$"):
        write_mindrecord(annotations, tmp_path / "f\udcff")
    odd = dataclasses.replace(annotations.images[0], name="p\udcff.png")
    some = dataclasses.replace(annotations, images=(odd, *annotations.images[1:]))
    with pytest.raises(FocusDetrError, match=r"a name outside UTF-8 cannot be packed"):
        write_mindrecord(some, tmp_path / "packed")
    assert not list(tmp_path.glob("*packed*"))
