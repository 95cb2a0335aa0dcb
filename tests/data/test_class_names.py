"""Class names beside the boxes, and their category ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.class_names import (
    LIST_NAMES,
    clean_name,
    find_names_file,
    nearest_names,
    number_classes,
    read_class_names,
    warn_of_alike,
    warn_of_left_out,
)
from focus_detr.data.classes import ClassMap
from focus_detr.errors import FocusDetrError

NAMES = st.lists(st.text(max_size=3), unique=True, max_size=6)


def test_ids_count_from_one_without_a_model() -> None:
    assert number_classes(("b", "a"), None) == ClassMap(("b", "a"), (1, 2))


@given(
    names=NAMES,
    model=st.dictionaries(st.text(max_size=3), st.integers(0, 90), max_size=6).filter(
        lambda ids: len(set(ids.values())) == len(ids)
    ),
)
def test_names_of_the_model_keep_its_ids(names: list[str], model: dict[str, int]) -> None:
    classes = number_classes(names, ClassMap(tuple(model), tuple(model.values())))
    assert classes.names == tuple(names)
    assert len(set(classes.category_ids)) == len(names)
    for name, number in zip(classes.names, classes.category_ids, strict=True):
        assert number == model.get(name, number)
        assert (name in model) == (number in model.values())


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "classes.txt").write_text("a\n")
    folders = (tmp_path / "in", tmp_path)
    assert find_names_file(folders, ("obj.names", "classes.txt")) == tmp_path / "classes.txt"
    (tmp_path / "in" / "obj.names").write_text("a\n")
    assert find_names_file(folders, ("obj.names", "classes.txt")) == tmp_path / "in" / "obj.names"
    assert find_names_file(folders, ("data.yaml",)) is None
    (tmp_path / "in" / "Data.YAML").write_text("a\n")
    assert find_names_file(folders, ("data.yaml",)) == tmp_path / "in" / "Data.YAML"
    (tmp_path / "in" / "data.yaml").write_text("a\n")
    assert find_names_file(folders, ("data.yaml",)) == tmp_path / "in" / "data.yaml"


def test_names_of_text_and_yaml_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeff cat \r\nzebra crossing\r\n \r\n\r\n".encode())
    assert read_class_names(tmp_path / "a.txt") == ("cat", "zebra crossing")
    (tmp_path / "a.yaml").write_text("names: {1: dog, 0: 12}\n")
    assert read_class_names(tmp_path / "a.yaml") == ("12", "dog")


def test_what_nobody_sees_makes_no_other_class(tmp_path: Path) -> None:
    assert clean_name("\ufeff cafe\u0301\u200b \n") == "caf\xe9" == clean_name("caf\xe9")
    joined = "\u0645\u06cc\u200c\u062e"  # the mark inside changes how it is written
    assert clean_name(joined) == joined
    (tmp_path / "a.txt").write_text("#1\ncafe\u0301\n", encoding="utf-16")
    (tmp_path / "a.yaml").write_text("names: ['#1', caf\xe9]\n")
    assert read_class_names(tmp_path / "a.txt") == read_class_names(tmp_path / "a.yaml")


def test_two_files_with_another_order_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    for text, told in (("cat\ndog\nowl\n", 0), ("1.jpg\n", 0), ("\n", 0), ("dog\ncat\n", 1)):
        (tmp_path / "labels.txt").write_text(text)
        caplog.clear()
        found = nearest_names((tmp_path / "no", tmp_path), LIST_NAMES)
        assert found == (("cat", "dog"), tmp_path / "classes.txt")
        assert caplog.text.count("labels.txt number the classes differently") == told


def test_names_that_look_like_numbers_stay_as_written(tmp_path: Path) -> None:
    names = ("007", "12:30", "1_000", "0x1F", "1.50", "2020-01-31", "+1", "1e3", "cat")
    listed = "".join(f"  - {name}\n" for name in names)
    (tmp_path / "a.yaml").write_text(f"nc: 9.0\nnames:\n{listed}")
    assert read_class_names(tmp_path / "a.yaml") == names
    numbered = "".join(f"  {index}: {name}\n" for index, name in enumerate(names))
    (tmp_path / "b.yaml").write_text(f"names:\n{numbered}")
    assert read_class_names(tmp_path / "b.yaml") == names


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\n", r"a\.txt names no classes"),
        ("a.txt", b"cat\n \ndog\n", r"a\.txt: line 2 is blank, but must name class 1"),
        ("a.txt", b"\ncat\n", r"a\.txt: line 1 is blank, but must name class 0"),
        ("a.txt", b"cat\ncat\n", r"a\.txt: class 1 has the name 'cat' of another class"),
        ("a.txt", b"\xff", r"a\.txt is not UTF-8 text"),
        ("a.txt", b"# list\ncat\n", r"a\.txt: line 1, '# list', seems to be a comment"),
        ("a.txt", b"cat\n\xe2\x80\x8b cat\n", r"class 1 has the name 'cat' of another class"),
        ("a.yaml", b'names: ["\\ud800"]', r"the name of class 0 is empty or no Unicode text"),
        ("a.yaml", b"names: [2020-99-99]", r"a\.yaml is not valid YAML"),
        ("a.yaml", b"names: [a]\nnames: [b]", r"a\.yaml is not valid YAML: a key appears twice"),
        ("a.yaml", b"names: [[a]]", r"a\.yaml: name 0 must be a text in quotes"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FocusDetrError, match=message):
        read_class_names(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("cat", "dog", "cats", "1-2", "12"), ""),
        (
            ("Cat", "dog", "cat"),
            "1 class spelled nearly like another one, such as 'cat' beside 'Cat'",
        ),
        (("stop sign", "stop_sign", "Stop-Sign"), "2 classes spelled nearly like another one"),
        (("cat", "cat"), ""),  # which is told elsewhere
    ],
)
def test_classes_that_may_be_slips_of_the_pen(
    names: tuple[str, ...], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_alike(names, Path("set"))
    assert told in caplog.text and bool(caplog.text) == bool(told)


def test_classes_that_seem_to_be_none_are_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_left_out(("car", "ignorant", "careless"), Path("set"))
    assert not caplog.text
    warn_of_left_out(("Don't Care", "car", "ignored_regions"), Path("set"))
    assert caplog.text.count("seems to mark what is to be left out") == 2


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("0 cat\n1 dog", True),
        ("1: cat\n2: dog\n3: bird", True),
        ("1 cent\n2 cents\n5 cents", False),
        ("0 cat", False),
        ("0 1\n1 2", False),
        ("cat\n1 dog", False),
    ],
)
def test_numbers_in_front_of_names_are_told(
    tmp_path: Path, lines: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "classes.txt").write_text(lines)
    assert read_class_names(tmp_path / "classes.txt") == tuple(lines.split("\n"))
    assert ("each line seems to be a number and a name" in caplog.text) == told
