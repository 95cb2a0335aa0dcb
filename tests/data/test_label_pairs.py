"""Which picture a label file belongs to."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.label_pairs import by_stem, pair_labels

ACCENT = "caf\u00e9"


@pytest.mark.parametrize(
    ("stem", "said", "pictures", "expected"),
    [
        ("p1", "p2.jpg", ["p1.jpg", "p2.jpg"], "p1.jpg"),  # renamed with its picture
        ("p1", "old.jpg", ["p1.jpg"], "p1.jpg"),
        ("000001_boxes", "000001.jpg", ["000001.jpg", "000002.jpg"], "000001.jpg"),
        ("x", r"C:\photos\my%20photo.jpg", ["my photo.jpg", "b.jpg"], "my photo.jpg"),
        ("x", "a.jpg", ["in/a.jpg", "b.jpg"], "in/a.jpg"),
        ("x1", "a", ["a.jpg", "b.jpg"], "a.jpg"),  # as in files of VOC's own form
        ("x1", "a.PNG", ["a.jpg", "b.jpg"], "a.jpg"),  # written anew in another format
        ("x1", "a", ["a.jpg", "a.png"], None),
        ("x", "a.jpg", ["in/a.jpg", "out/a.jpg"], None),  # which of the two?
        ("photo", "photo.png", ["photo.jpg", "photo.png"], "photo.png"),
        ("photo", "", ["photo.png", "photo.jpg"], "photo.jpg"),
        ("photo.jpg", "", ["photo.png", "photo.jpg"], "photo.jpg"),
        ("in/a", "", ["a.jpg", "in/a.jpg"], "in/a.jpg"),
        ("a", "", ["in/a.jpg"], "in/a.jpg"),  # no label file has a picture at its place
        ("a", "", ["in/a.jpg", "out/a.jpg"], None),
        ("IMG", "", ["img.JPG"], "img.JPG"),
        ("IMG", "", ["img.JPG", "Img.jpg"], None),
        (unicodedata.normalize("NFD", ACCENT), "", [f"{ACCENT}.jpg"], f"{ACCENT}.jpg"),
        ("my%20photo", "", ["my photo.jpg", "b.jpg"], "my photo.jpg"),  # as Label Studio does
        ("my photo", "", ["my%20photo.jpg", "b.jpg"], "my%20photo.jpg"),
        ("my%20photo", "", ["my photo.jpg", "my+photo.jpg"], None),
        ("in/%E7%8C%AB", "", ["in/\u732b.jpg", "\u732b.jpg"], "in/\u732b.jpg"),
        ("gone", "gone.jpg", ["b.jpg"], None),
    ],
)
def test_one_label_file(stem: str, said: str, pictures: list[str], expected: str | None) -> None:
    assert pair_labels({stem: said}, pictures).pictures.get(stem) == expected


def test_a_picture_of_one_file_is_not_given_to_another() -> None:
    pairing = pair_labels({"p1": "p2.jpg", "p2": "p2.jpg", "p3": "p2.jpg"}, ["p1.jpg", "p2.jpg"])
    assert pairing.pictures == {"p1": "p1.jpg", "p2": "p2.jpg"}
    assert pairing.contradicted == ("p1",)
    assert pair_labels({"x": "a.jpg", "y": "a.jpg"}, ["a.jpg"]).pictures == {}


def test_a_stale_label_file_elsewhere_belongs_to_nothing() -> None:
    pairing = pair_labels({"p1": "", "old/p2": ""}, ["p1.jpg", "p2.jpg"])
    assert pairing.pictures == {"p1": "p1.jpg"}


def test_two_pictures_of_one_label_file() -> None:
    pairing = pair_labels(
        {"a": "", "b": "", "c.png": "", "c.jpg": ""}, ["a.jpg", "a.png", "b.jpg", "c.jpg", "c.png"]
    )
    assert pairing.rivals == {"a.png": "a.jpg"}
    assert pairing.pictures["c.png"] == "c.png"
    pairing = pair_labels({"c": "", "c.jpg": ""}, ["c.jpg", "c.png"])
    assert pairing.pictures == {"c": "c.png", "c.jpg": "c.jpg"}


NAMES = st.sampled_from(["a", "b", "A", "in/a", "in/b"])


@given(st.dictionaries(NAMES, NAMES.map("{}.jpg".format)), st.sets(NAMES.map("{}.jpg".format)))
def test_no_picture_gets_two_label_files(named: dict[str, str], pictures: set[str]) -> None:
    found = pair_labels(named, sorted(pictures)).pictures
    assert len(set(found.values())) == len(found)
    assert all(found[s] == f"{s}.jpg" for s in found if f"{s}.jpg" in pictures)
    assert {s for s in named if f"{s}.jpg" in pictures} <= found.keys()


def test_of_two_label_files_of_one_name_one_counts(caplog: pytest.LogCaptureFixture) -> None:
    files = ["1.TXT", "1.txt", "in/1.txt", "b.c.txt", "b.TXT", "1-2.txt"]
    expected = {"1-2": "1-2.txt", "1": "1.txt", "b": "b.TXT", "b.c": "b.c.txt", "in/1": "in/1.txt"}
    assert [*by_stem(files, Path("labels")).items()] == [*expected.items()]
    assert "left out 1 label file beside another of the same name, such as 1.TXT" in caplog.text
