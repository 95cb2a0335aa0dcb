"""Taking validation images from a training set."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.data.split import Division, divide_by_fraction, divide_by_list
from focus_detr.errors import FocusDetrError


def make_set(names: list[str]) -> Annotations:
    images = [ImageEntry(i, name, Path(name), 9, 9) for i, name in enumerate(names, start=1)]
    boxes = [BoxEntry(image.image_id, 1, (0, 0, 5, 5), 25) for image in images]
    return Annotations(Path("set"), tuple(images), tuple(boxes), ClassMap(("cat",), (1,)))


def names_of(part: Annotations) -> set[str]:
    return {image.name for image in part.images}


def check(whole: Annotations, division: Division) -> None:
    train, val = division.train, division.val
    assert names_of(train) | names_of(val) == names_of(whole)
    assert not names_of(train) & names_of(val)
    for part in (train, val):
        assert {b.image_id for b in part.boxes} == {i.image_id for i in part.images}


@given(st.integers(0, 2**31), st.floats(0.2, 0.8), st.permutations([f"{i}.jpg" for i in range(60)]))
def test_added_images_move_no_other(seed: int, fraction: float, names: list[str]) -> None:
    few = divide_by_fraction(make_set(names[:40]), fraction, seed)
    whole = make_set(sorted(names))
    many = divide_by_fraction(whole, fraction, seed)
    check(whole, many)
    assert names_of(few.val) == names_of(many.val) & set(names[:40])
    assert names_of(few.train) == names_of(many.train) & set(names[:40])


def test_the_fraction_is_nearly_met_and_the_seed_matters() -> None:
    whole = make_set([f"photo {i}" for i in range(5000)])
    chosen = [names_of(divide_by_fraction(whole, 0.1, seed).val) for seed in (0, 1)]
    assert all(430 < len(part) < 570 for part in chosen)  # five standard deviations are 106
    assert len(chosen[0] & chosen[1]) < 100


def test_no_part_may_be_empty() -> None:
    with pytest.raises(FocusDetrError, match=r"val_fraction 1e-09 leaves no image for validation"):
        divide_by_fraction(make_set(["a", "b"]), 1e-9, 0)
    with pytest.raises(FocusDetrError, match="leaves no image for training of the 2 in set"):
        divide_by_fraction(make_set(["a", "b"]), 1 - 1e-9, 0)


def test_a_list_names_files_and_folders(tmp_path: Path) -> None:
    whole = make_set(["a.jpg", "b.jpg", "in/c.jpg", "in/d.jpg", "inner.jpg"])
    path = tmp_path / "val.txt"
    path.write_text("# evening\nb\n\nin/\n")
    division = divide_by_list(whole, path)
    check(whole, division)
    assert names_of(division.val) == {"b.jpg", "in/c.jpg", "in/d.jpg"}
    path.write_text("in/c.jpg\n")
    assert names_of(divide_by_list(whole, path).val) == {"in/c.jpg"}


def test_a_list_of_another_system(tmp_path: Path) -> None:
    whole = make_set(["in\\a.jpg", "in/b.jpg", "in/a b.jpg", "in/a%20b.jpg", "c.jpg"])
    path = tmp_path / "val.txt"
    for text, chosen in (
        ("in/a.jpg", {"in\\a.jpg"}),
        ("in\\b", {"in/b.jpg"}),
        ("in\\", {"in\\a.jpg", "in/b.jpg", "in/a b.jpg", "in/a%20b.jpg"}),
        ("in/a%20b.jpg", {"in/a%20b.jpg"}),
        ("in/a b.jpg", {"in/a b.jpg"}),
    ):
        path.write_text(text, encoding="utf-16")
        assert names_of(divide_by_list(whole, path).val) == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nz\n", r"val\.txt: line 2: set has no 'z'"),
        ("out/\n", r"val\.txt: line 1: set has no 'out/'"),
        ("\n", r"data\.val_list .*val\.txt leaves no image for validation of the 2 in set"),
        ("a\nb\n", "leaves no image for training"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "val.txt").write_text(text)
    with pytest.raises(FocusDetrError, match=message):
        divide_by_list(make_set(["a.jpg", "b.jpg"]), tmp_path / "val.txt")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("cafe\u0301.jpg", {"caf\u00e9.jpg"}),
        ("d.jpg", {"D.JPG"}),
        ("./D", {"D.JPG"}),
        ("C:\\mine\\set\\x\\1.jpg", {"x/1.jpg"}),
        ("/mine/set/D.JPG", {"D.JPG"}),
        ("X/", {"x/1.jpg", "x/E.jpg", "x/e.jpg"}),
    ],
)
def test_a_name_in_another_spelling(tmp_path: Path, line: str, names: set[str]) -> None:
    whole = make_set(["caf\u00e9.jpg", "D.JPG", "x/1.jpg", "y/1.jpg", "x/e.jpg", "x/E.jpg"])
    (tmp_path / "val.txt").write_text(line)
    assert {i.name for i in divide_by_list(whole, tmp_path / "val.txt").val.images} == names


@pytest.mark.parametrize("line", ["x/E.JPG", "/mine/1.jpg", "1.jpg", "\u00dd/"])
def test_a_spelling_of_two_pictures_is_refused(tmp_path: Path, line: str) -> None:
    whole = make_set(["x/e.jpg", "x/E.jpg", "x/1.jpg", "z/1.jpg", "\u00fd/1.jpg", "y\u0301/2.jpg"])
    (tmp_path / "val.txt").write_text(line)
    with pytest.raises(FocusDetrError, match="line 1: set has no"):
        divide_by_list(whole, tmp_path / "val.txt")


def test_names_outside_utf8_are_divided_too() -> None:
    whole = make_set([*(f"{i}\udce9.jpg" for i in range(40)), "a.jpg"])
    check(whole, divide_by_fraction(whole, 0.5, 0))
