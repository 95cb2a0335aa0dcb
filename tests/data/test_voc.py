"""Reading Pascal VOC sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotation_files import voc_xml, write_picture, write_voc

from focus_detr.data.classes import ClassMap
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.voc import read_voc
from focus_detr.errors import FocusDetrError

SIZES = {"a": (20, 30), "b": (40, 30)}
OBJECTS = {"a": [("dog", (1, 1, 1, 1), 0), ("cat", (3, 4, 30, 20), 1)], "b": []}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "set", SIZES, OBJECTS)


def test_pixels_count_from_one_and_include_the_last(root: Path) -> None:
    read = read_voc(root, None)
    assert [box.box for box in read.boxes] == [(0, 0, 1, 1), (2, 3, 28, 17)]
    assert [box.area for box in read.boxes] == [1, 476]
    assert [(i.image_id, i.name, i.height, i.width) for i in read.images] == [
        (1, "a.png", 20, 30),
        (2, "b.png", 40, 30),
    ]


def test_classes_are_the_sorted_names(root: Path) -> None:
    read = read_voc(root, None)
    assert read.classes == ClassMap(("cat", "dog"), (1, 2))
    assert [box.category_id for box in read.boxes] == [2, 1]


def test_a_list_of_classes_beside_the_set_gives_their_order(root: Path) -> None:
    (root / "classes.txt").write_text("dog\ncow\ncat\n")
    assert read_voc(root, None).classes == ClassMap(("dog", "cow", "cat"), (1, 2, 3))
    (root / "classes.txt").write_text("dog\ncow\n")
    with pytest.raises(FocusDetrError, match=r"a\.xml: object 2: name 'cat' is not in .*classes"):
        read_voc(root, None)


def test_difficult_objects_are_crowds(root: Path) -> None:
    assert [box.crowd for box in read_voc(root, None).boxes] == [False, True]
    dataset = DetectionDataset.from_files(root)
    np.testing.assert_array_equal(dataset.records[0].boxes, [[0, 0, 1, 1]])
    assert dataset.dropped == {"crowd": 1}


def test_category_ids_are_the_model_s(root: Path) -> None:
    model = ClassMap(("horse", "dog", "cat"), (3, 7, 9))
    read = read_voc(root, None, model)
    assert read.classes == ClassMap(("cat", "dog"), (9, 7))
    with pytest.raises(FocusDetrError, match=r"object 2: name 'cat' is not in the model's classes"):
        read_voc(root, None, ClassMap(("dog",), (1,)))


def test_lists_choose_files(root: Path) -> None:
    path = root / "ImageSets" / "Main" / "train.txt"
    path.parent.mkdir(parents=True)
    path.write_text("a  -1\n\n")
    read = read_voc(path, None)
    assert [image.name for image in read.images] == ["a.png"]
    path.write_text("c\n")
    with pytest.raises(FocusDetrError, match=r"cannot read .*c\.xml: No such"):
        read_voc(path, None)
    path.write_text("\n")
    with pytest.raises(FocusDetrError, match=r"train\.txt lists no images"):
        read_voc(path, None)


def test_pictures_are_found_by_name_then_by_the_xml_file_s(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_picture(tmp_path / f"{name}.jpg", (20, 30))
    (tmp_path / "one.xml").write_text(voc_xml("C:\\pictures\\two.jpg", (20, 30)))
    (tmp_path / "two.xml").write_text(voc_xml("renamed.jpg", (20, 30), [("cat", (1, 1, 5, 5), 0)]))
    read = read_voc(tmp_path, None)
    assert [image.name for image in read.images] == ["one.jpg", "two.jpg"]


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_a_size_that_is_not_given_comes_from_the_picture(
    root: Path, size: tuple[int, int] | None
) -> None:
    (root / "Annotations" / "b.xml").write_text(voc_xml("b.png", size))
    assert read_voc(root, None).images[1].height == 40
    (root / "JPEGImages" / "b.png").unlink()
    read = read_voc(root, None)
    assert len(read.images) == 1
    assert read.unreadable == (f"b.xml: no file {root / 'JPEGImages' / 'b.png'}",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<name>cat</name>", "", r"a\.xml: object 2 has no 'name'"),
        ("<xmin>3</xmin>", "", r"a\.xml: object 2 has no 'bndbox/xmin'"),
        ("<xmin>3<", "<xmin>x<", r"object 2: 'bndbox/xmin' must be a finite number, not 'x'"),
        ("<xmin>3<", "<xmin>1_3<", r"object 2: 'bndbox/xmin' must be a finite number, not '1_3'"),
        ("<xmin>3<", "<xmin>nan<", r"object 2: 'bndbox/xmin' must be a finite number"),
        ("<difficult>1<", "<difficult>2<", r"object 2: 'difficult' must be 0 or 1, not '2'"),
        ("bndbox", "box", r"object 1 has no 'bndbox'"),
        ("<width>30<", "<width>-3<", r"a\.xml: 'size/width' must be a whole number from 1"),
        ("<width>30<", "<width>1.5<", r"a\.xml: 'size/width' must be a whole number from 1"),
        ("</annotation>", "", r"a\.xml is not valid XML"),
        ("annotation>", "other>", r"a\.xml is not a VOC file: its top element is 'other'"),
        ("<annotation>", '<?xml version="1.0" encoding="x"?><annotation>', "is not valid XML"),
    ],
)
def test_mistakes_are_named(root: Path, old: str, new: str, message: str) -> None:
    path = root / "Annotations" / "a.xml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FocusDetrError, match=message):
        read_voc(root, None)


def test_a_set_without_objects_has_no_classes(root: Path) -> None:
    (root / "Annotations" / "a.xml").unlink()
    with pytest.raises(FocusDetrError, match=r"no file has an object, so there are no classes"):
        read_voc(root, None)
    model = ClassMap(("cat",), (4,))
    assert read_voc(root, None, model).classes == model


def test_a_wrong_declaration_is_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    start = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
    for stem in SIZES:
        text = voc_xml(f"{stem}.png", None, [("\u732b", (1, 1, 9, 9), 0)])
        (root / "Annotations" / f"{stem}.xml").write_text(start + text, encoding="utf-8")
    assert read_voc(root, None).classes.names == ("\u732b",)
    assert (
        "read 2 xml files as UTF-8, which they are, such as a.xml, though they declare cp1252"
        in caplog.text
    )


@pytest.mark.parametrize(("start", "told"), [(1, False), (0, True), (0.5, True)])
def test_a_set_that_counts_from_0_is_told(
    tmp_path: Path, start: float, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    objects = {"a": [("cat", (3, 4, 9, 9), 0)], "b": [("cat", (5, start, 9, 9), 0)]}
    read = read_voc(write_voc(tmp_path, SIZES, objects), None)
    assert read.boxes[1].box == (4, start - 1, 5, 10 - start)
    assert ("boxes of 1 xml file begin before pixel 1" in caplog.text) == told
    assert ("such as in b.xml" in caplog.text) == told
