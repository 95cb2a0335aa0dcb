"""Reading YOLO label files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from annotation_files import write_picture, write_yolo

from focus_detr.data.classes import ClassMap
from focus_detr.data.yolo import read_yolo
from focus_detr.errors import FocusDetrError

SIZES = {"a": (20, 30), "b": (40, 30), "c": (10, 10)}
LABELS = {"a": "1 0.5 0.5 0.2 0.4\n\n0 0.1 0.25 0.2 0.5\n", "b": ""}


@pytest.fixture
def data_yaml(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "set", SIZES, LABELS)


def test_shares_become_pixels(data_yaml: Path) -> None:
    read = read_yolo(data_yaml, None)
    assert read.classes == ClassMap(("cat", "dog"), (1, 2))
    assert [(i.image_id, i.name, i.height, i.width) for i in read.images] == [
        (1, "a.png", 20, 30),
        (2, "b.png", 40, 30),
        (3, "c.png", 10, 10),
    ]
    assert [(box.image_id, box.category_id) for box in read.boxes] == [(1, 2), (1, 1)]
    assert read.boxes[0].box == pytest.approx((12, 6, 6, 8))
    assert read.boxes[1].box == pytest.approx((0, 0, 6, 10))
    assert read.boxes[0].area == pytest.approx(48)


def test_outlines_become_boxes(data_yaml: Path) -> None:
    (data_yaml.parent / "labels/train/a.txt").write_text("0 0.1 0.2 0.5 0.1 0.3 0.6\n")
    assert read_yolo(data_yaml, None).boxes[0].box == pytest.approx((3, 2, 12, 10))


@pytest.mark.parametrize("source", [".", "labels/train", "labels", "data.yaml", "train.txt"])
def test_layouts_give_the_same_boxes(data_yaml: Path, source: str) -> None:
    root = data_yaml.parent
    (root / "train.txt").write_text("".join(f"./images/train/{stem}.png\n" for stem in SIZES))
    read = read_yolo(root / source, None)
    expected = read_yolo(data_yaml, None)
    assert read.boxes == expected.boxes
    assert [image.path.name for image in read.images] == ["a.png", "b.png", "c.png"]
    assert read.unreadable == ()


def test_pictures_may_be_named_apart_from_the_labels(data_yaml: Path, tmp_path: Path) -> None:
    root = data_yaml.parent
    (root / "images/train").rename(tmp_path / "photos")
    read = read_yolo(root / "labels/train", tmp_path / "photos")
    assert len(read.images) == 3
    assert len(read.boxes) == 2


def test_exports_with_one_step_up_too_many(tmp_path: Path) -> None:
    write_picture(tmp_path / "valid/images/x.jpg", (20, 20))
    (tmp_path / "valid/labels").mkdir()
    (tmp_path / "valid/labels/x.txt").write_text("0 .5 .5 1 1")
    path = tmp_path / "data.yaml"
    path.write_text('train: ../train/images\nval: ../valid/images\nnc: "2"\nnames: {0: 7, 1: b}\n')
    read = read_yolo(path, None, split="val")
    assert read.classes.names == ("7", "b")
    assert read.boxes[0].box == pytest.approx((0, 0, 20, 20))


def test_classes_are_matched_by_name(data_yaml: Path) -> None:
    model = ClassMap(("dog", "cow", "cat"), (4, 6, 8))
    read = read_yolo(data_yaml, None, model)
    assert [box.category_id for box in read.boxes] == [4, 8]
    with pytest.raises(FocusDetrError, match=r"a\.txt: line 3: class 'cat' is not one of the mod"):
        read_yolo(data_yaml, None, ClassMap(("dog",), (4,)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0.5 0.5 0.2", r"a\.txt: line 2 has 4 numbers, expected class, x centre, y centre"),
        ("1 0.5 0.5 0.2 0.1 7", r"a\.txt: line 2: the last of 6 numbers is 7, expected a confid"),
        ("1 0.5 0.5 0.2 0.1 0.9 .1 .1", r"a\.txt: line 2 has 8 numbers.* kpt_shape in data.yaml"),
        ("2 0.5 0.5 0.2 0.1", r"a\.txt: line 2: class 2 does not exist, .*data\.yaml has 0 to 1"),
        ("-1 0.5 0.5 0.2 0.1", r"line 2: class -1 does not exist"),
        ("cat 0.5 0.5 0.2 0.1", r"line 2: class must be a whole number, not 'cat'"),
        ("0.5 0.5 0.5 0.2 0.1", r"line 2: class must be a whole number, not '0.5'"),
        ("inf 0.5 0.5 0.2 0.1", r"line 2: class must be a whole number, not 'inf'"),
        ("0 0.5 0.5 0.2 0_1", r"line 2: height is 0_1, expected a share of the picture"),
        ("0 12 0.5 0.2 0.1", r"line 2: x centre is 12, expected a share of the picture \(0 to 1\)"),
        ("0 0.5 0.5 0.2 x", r"line 2: height is x, expected a share"),
        ("0 0.5 0.5 nan 0.5", r"line 2: width is nan, expected a share"),
        ("0 0.1 0.2 0.5 7 0.3 0.6", r"line 2: point 2 is 7, expected a share"),
    ],
)
def test_mistakes_are_named(data_yaml: Path, line: str, message: str) -> None:
    (data_yaml.parent / "labels/train/a.txt").write_text(f"0 .5 .5 .5 .5\n{line}\n")
    with pytest.raises(FocusDetrError, match=message):
        read_yolo(data_yaml, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images/train", r"data\.yaml: 'names' must list the classes"),
        ("names: [a, b]", r"data\.yaml: 'train' must be a folder of pictures or a list of such"),
        ("names: [a, a]", r"data\.yaml: class 1 has the name 'a' of another class"),
        ("names: [no, b]", r"data\.yaml: name 0 must be a text in quotes, not False"),
        ("names: {1: a, 2: b}", r"data\.yaml: 'names' must have the indices 0 to 1"),
        ("nc: 3\nnames: [a, b]", r"data\.yaml: 'nc' is 3, but 'names' has 2 classes"),
        ("nc: many\nnames: {0: a}", r"data\.yaml: 'nc' is 'many', but 'names' has 1 class"),
        ("names: [a, '']", r"data\.yaml: the name of class 1 is empty"),
        ("[1, 2]", r"data\.yaml: the top level must be a mapping with 'names'"),
        ("a: [", r"data\.yaml is not valid YAML"),
        (
            "train: gone\nnames: [a]",
            r"data\.yaml: 'train' leads to .*gone, which does not exist; .*_images",
        ),
        ("train: labels\nnames: [a]", r"labels has no pictures"),
    ],
)
def test_mistakes_in_the_yaml_are_named(data_yaml: Path, text: str, message: str) -> None:
    data_yaml.write_text(text)
    with pytest.raises(FocusDetrError, match=message):
        read_yolo(data_yaml, None)


def test_missing_class_names_are_asked_for(data_yaml: Path) -> None:
    labels = data_yaml.parent / "labels" / "train"
    data_yaml.unlink()
    with pytest.raises(FocusDetrError, match=r"the class names are missing; put a data\.yaml or"):
        read_yolo(labels, None)
    (labels / "classes.txt").write_text("cat\n dog \n")
    assert read_yolo(labels, None).classes.names == ("cat", "dog")


@pytest.mark.parametrize("source", ["labels/train", "data.yaml"])
def test_labels_without_picture_are_counted(
    data_yaml: Path, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    root = data_yaml.parent
    (root / "labels" / "train" / "z.txt").write_text("0 .5 .5 .5 .5\n")
    with caplog.at_level(logging.WARNING):
        assert len(read_yolo(root / source, None).boxes) == 2
    assert "labels/train: 1 label file without a picture" in caplog.text


@pytest.mark.parametrize(
    "places", ["[images/train, ./images/train/]", "[images/train, list.txt]", "[list.txt]"]
)
def test_a_picture_that_is_named_twice_counts_once(
    data_yaml: Path, caplog: pytest.LogCaptureFixture, places: str
) -> None:
    lines = [f"{folder}images/train/{stem}.png\n" for folder in ("", "./") for stem in SIZES]
    (data_yaml.parent / "list.txt").write_text("".join(lines))
    expected = read_yolo(data_yaml, None)
    data_yaml.write_text(f"train: {places}\nnames: [cat, dog]\n")
    with caplog.at_level(logging.WARNING):
        read = read_yolo(data_yaml, None)
    assert read.boxes == expected.boxes
    assert [image.path.name for image in read.images] == ["a.png", "b.png", "c.png"]
    (record,) = caplog.records
    twice = 6 if places == "[images/train, list.txt]" else 3
    assert f"data.yaml: {twice} pictures named more than once, such as " in record.getMessage()
    assert "a.png; each is used once" in record.getMessage()


def test_broken_pictures_are_left_out_by_name(data_yaml: Path) -> None:
    (data_yaml.parent / "images/train/a.png").write_bytes(b"no image")
    read = read_yolo(data_yaml, None)
    assert [image.name for image in read.images] == ["b.png", "c.png"]
    assert len(read.unreadable) == 1
    assert "a.png: it is broken or no image" in read.unreadable[0]
