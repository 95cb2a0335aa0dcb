"""What belongs to a folder of a data set, and what systems put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.data.visible_files import (
    files_below,
    inner_folder,
    is_hidden,
    matching,
    visible_files,
)

HIDDEN = (
    "._a.jpg",
    ".ipynb_checkpoints/a-checkpoint.jpg",
    "in/@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg",
    "__MACOSX/a.jpg",
    "#recycle/a.jpg",
    "$RECYCLE.BIN/a.jpg",
    "System Volume Information/a.jpg",
    "lost+found/a.jpg",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / ".cache" / "set"  # a hidden folder that is named is searched
    for name in ("a.jpg", "in/b.JPG", "in/c.txt", *HIDDEN):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "~snapshot",
        "FOUND.000",
        "desktop.ini",
        ".DS_Store",
        "@eaDir",
        "._x",
        "~$a.xml",
        "..",
    ],
)
def test_names_of_systems(name: str) -> None:
    assert is_hidden(name) == (name != "..")


def test_hidden_files_are_no_part_of_a_folder(folder: Path) -> None:
    assert files_below(folder, {".jpg"}) == ["a.jpg", "in/b.JPG"]
    assert visible_files(folder, {".jpg"}) == [folder / "a.jpg"]
    assert files_below(folder / "gone", {".jpg"}) == []


def test_links_keep_their_names_and_circles_end(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "0001").touch()
    for name in ("x.jpg", "y.jpg"):
        (folder / name).symlink_to(tmp_path / "store" / "0001")
    (folder / "again").symlink_to(folder / "in")
    (folder / "in" / "round").symlink_to(folder)
    (folder / "itself").symlink_to(folder / "itself")
    names = ["a.jpg", "again/b.JPG", "in/b.JPG", "x.jpg", "y.jpg"]
    assert files_below(folder, {".jpg"}) == names


def test_a_folder_in_other_letters_is_found_if_it_is_alone(tmp_path: Path) -> None:
    (tmp_path / "Images").mkdir()
    assert inner_folder(tmp_path, "images") == tmp_path / "Images"
    (tmp_path / "IMAGES").mkdir()
    assert inner_folder(tmp_path, "images") is None
    (tmp_path / "images").mkdir()
    assert inner_folder(tmp_path, "images") == tmp_path / "images"
    (tmp_path / "labels").touch()
    assert inner_folder(tmp_path, "labels") is None


def test_patterns_find_what_is_hidden_only_by_name(folder: Path) -> None:
    (folder / "odd [1]").mkdir()
    (folder / "odd [1]" / "d.jpg").touch()
    for pattern, found in (
        ("*.jpg", ["a.jpg"]),
        ("**/*.jpg", ["a.jpg", "odd [1]/d.jpg"]),
        ("odd [1]/*", ["odd [1]/d.jpg"]),
        ("._*", ["._a.jpg"]),
        ("#recycle/*", ["#recycle/a.jpg"]),
        ("@eaDir", []),
        ("none/*", []),
    ):
        assert matching(folder / pattern) == [folder / name for name in found], pattern
