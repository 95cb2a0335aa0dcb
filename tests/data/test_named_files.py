"""Names that other systems wrote lead to the files they mean, and to no others."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from focus_detr.data.named_files import find_all

SOURCE = Path("train.json")
ACCENT = "caf\u00e9.jpg"


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root: Path, *names: str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_all((root,), names, SOURCE)]


@pytest.mark.parametrize(
    ("written", "there"),
    [
        (r"images\p1.jpg", "images/p1.jpg"),
        (r".\images\p1.jpg", "images/p1.jpg"),
        (" p1.jpg ", "p1.jpg"),
        ("\ufeffimages/p1.jpg", "images/p1.jpg"),  # of lists that were joined
        ("\u202aC:\\set\\images\\p1.jpg", "images/p1.jpg"),  # as Windows copies a path
        ("Shot 1.23 PM.png", "Shot 1.23\u202fPM.png"),  # as macOS calls it
        ("my\u00a0photo.jpg", "my photo.jpg"),
        ("my%20photo.jpg", "my photo.jpg"),
        ("file:///home/me/set/in/my%20photo.jpg", "in/my photo.jpg"),
        ("a &amp; b.jpg", "a & b.jpg"),
        (unicodedata.normalize("NFD", ACCENT), unicodedata.normalize("NFC", ACCENT)),
        (unicodedata.normalize("NFC", ACCENT), unicodedata.normalize("NFD", ACCENT)),
        ("p1.jpg", "p1.JPG"),
        ("Images/IMG_1.JPG", "images/img_1.jpg"),
        (r"C:\Users\me\set\images\p1.jpg", "images/p1.jpg"),
        (r"C:\Users\me\Images\P1.JPG", "images/p1.jpg"),
        ("/home/me/elsewhere/p1.jpg", "p1.jpg"),
        ("file:///C:/set/p1.jpg", "p1.jpg"),
        ("http://images.example.org/val2017/p1.jpg", "p1.jpg"),
        ("data/obj_train_data/p1.jpg", "obj_train_data/p1.jpg"),
        ("set/p1.jpg", "p1.jpg"),  # the folder itself is called so
        ("my%2520photo.jpg", "my photo.jpg"),
        ("my+photo.jpg", "my photo.jpg"),
        ("C%2B%2B+book.jpg", "C++ book.jpg"),
        ("/data/local-files/?d=images%5Cmy%20p1.jpg", "images/my p1.jpg"),
        ("/data/local-files/?d=set/p1.jpg", "p1.jpg"),
        ("https://example.org/a/p1.jpg?sig=ab/c%2F&x=1#top", "p1.jpg"),
        ("s3://bucket/a/p1.jpg", "p1.jpg"),
        ("images/p1", "images/p1.jpg"),
        ("2020.01.02", "2020.01.02.png"),
    ],
)
def test_other_spellings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, written: str, there: str
) -> None:
    root = put(tmp_path / "set", there, "other.jpg")
    assert found(root, written, "other.jpg") == [there, "other.jpg"]
    assert f"1 file found under another spelling, such as {root / there}" in caplog.text


@pytest.mark.parametrize(
    "name",
    ["a%20b.jpg", "a&amp;b.jpg", r"a\b.jpg", " a.jpg", "A.jpg", "a+b.jpg", "a?d=a.jpg"],
)
def test_the_exact_name_comes_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    put(tmp_path, name, "a b.jpg", "a&b.jpg", "a/b.jpg", "a.jpg")
    assert find_all((tmp_path,), [name], SOURCE) == [tmp_path / name]
    assert not caplog.text


def test_a_name_that_fits_several_files_fits_none(tmp_path: Path) -> None:
    put(tmp_path, "P1.jpg", "p1.JPG")
    assert found(tmp_path, "p1.jpg") == ["p1.jpg"]
    assert not (tmp_path / "p1.jpg").exists()


def test_a_picture_with_another_ending_is_another_picture(tmp_path: Path) -> None:
    """A mask may lie beside it."""
    put(tmp_path, "a.png", "b.png", "b.jpg", "._c.jpg", "c.txt")
    assert found(tmp_path, "a.jpg", "b", "c") == ["a.jpg", "b", "c"]


def test_no_file_gets_two_names(tmp_path: Path) -> None:
    root = put(tmp_path / "set", "p1.jpg", "p2.jpg")
    names = ["p1.jpg", "/one/p1.jpg", "/one/p2.jpg", r"C:\two\p2.jpg"]
    own, *others = find_all((root,), names, SOURCE)
    assert own == root / "p1.jpg"
    assert others == [root / name for name in names[1:]]
    assert find_all((root,), ["/one/p1.jpg"] * 2, SOURCE) == [root / "p1.jpg"] * 2


def test_a_name_without_its_folder_leads_nowhere(tmp_path: Path) -> None:
    """``train/p1.jpg`` is not the picture of the same name in a folder ``val``."""
    root = put(tmp_path / "val", "p1.jpg")
    assert find_all((root,), ["train/p1.jpg"], SOURCE) == [root / "train/p1.jpg"]


def test_several_folders_are_tried_for_the_exact_name_first(tmp_path: Path) -> None:
    put(tmp_path, "one/P1.jpg", "two/p1.jpg")
    folders = (tmp_path / "one", tmp_path / "two")
    names = ["p1.jpg", "P2.jpg"]
    assert find_all(folders, names, SOURCE) == [folders[1] / "p1.jpg", folders[0] / "P2.jpg"]
