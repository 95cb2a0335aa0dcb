"""Telling formats apart, and the same set in all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from annotation_files import write_picture, write_voc, write_yolo

from focus_detr.data.formats import detect_format, read_annotations
from focus_detr.errors import FocusDetrError

SIZES = {"a": (20, 40), "b": (40, 20)}


def test_folders_are_told_apart(tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", SIZES, {})
    yolo = write_yolo(tmp_path / "yolo", SIZES, {"a": ""}).parent
    coco = tmp_path / "coco"
    coco.mkdir()
    (coco / "instances.json").write_text("{}")
    assert detect_format(voc) == detect_format(voc / "Annotations") == "voc"
    assert detect_format(yolo) == detect_format(yolo / "labels" / "train") == "yolo"
    assert detect_format(coco) == "coco"
    (tmp_path / "empty").mkdir()
    with pytest.raises(FocusDetrError, match="empty has no annotations: neither a json file nor"):
        detect_format(tmp_path / "empty")


def test_a_list_beside_xml_files_is_one_of_theirs(tmp_path: Path) -> None:
    boxes = {name: [("cat", (2, 3, 9, 8), 0)] for name in SIZES}
    voc = write_voc(tmp_path, SIZES, boxes)
    first = min(SIZES)
    (voc / "train.txt").write_text(f"./JPEGImages/{first}.png ./Annotations/{first}.xml\n")
    (voc / "label_list.txt").write_text("dog\ncat\n")
    read = read_annotations(voc / "train.txt")
    assert [image.name for image in read.images] == [f"{first}.png"]
    assert (read.classes.names, len(read.boxes)) == (("dog", "cat"), 1)
    (voc / "labels").mkdir()
    assert detect_format(voc / "train.txt") == "yolo"


def test_hidden_files_decide_nothing(tmp_path: Path) -> None:
    yolo = write_yolo(tmp_path / "yolo", SIZES, {"a": ""}).parent / "labels" / "train"
    for name in ("._a.xml", ".ipynb_checkpoints/a.json", "@eaDir/a.xml", "._a.mindrecord"):
        (yolo / name).parent.mkdir(exist_ok=True)
        (yolo / name).write_bytes(b"kept by a system")
    assert detect_format(yolo) == "yolo"
    coco = tmp_path / "coco" / "train.json"
    coco.parent.mkdir()
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    coco.write_text(json.dumps(content))
    (coco.parent / "._train.json").write_bytes(b"kept by a system")
    assert read_annotations(coco.parent).classes.names == ("cat",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.json", "coco"),
        ("x", "coco"),
        ("x.yaml", "yolo"),
        ("x.YML", "yolo"),
        ("x.txt", "yolo"),
        ("ImageSets/Main/x.txt", "voc"),
        ("x.xml", "voc"),
    ],
)
def test_files_are_told_apart(tmp_path: Path, name: str, kind: str) -> None:
    assert detect_format(tmp_path / name) == kind


def test_one_set_in_three_formats(tmp_path: Path) -> None:
    """Two boxes: corners 4 5 12 15 (cat in a) and 0 0 20 10 (dog in b)."""
    objects = {"a": [("cat", (5, 6, 12, 15), 0)], "b": [("dog", (1, 1, 20, 10), 0)]}
    labels = {"a": "0 0.2 0.5 0.2 0.5", "b": "1 0.5 0.125 1 0.25"}
    voc = write_voc(tmp_path / "voc", SIZES, objects)
    yolo = write_yolo(tmp_path / "yolo", SIZES, labels)
    coco = tmp_path / "voc" / "JPEGImages" / "instances.json"
    coco.write_text(json.dumps(read_annotations(voc).to_coco()))
    expected = read_annotations(voc)
    for source in (coco, coco.parent, yolo):
        read = read_annotations(source)
        assert read.classes == expected.classes
        assert [(i.image_id, i.name, i.height, i.width) for i in read.images] == [
            (i.image_id, i.name, i.height, i.width) for i in expected.images
        ]
        for box, other in zip(read.boxes, expected.boxes, strict=True):
            assert (box.image_id, box.category_id) == (other.image_id, other.category_id)
            assert box.box == pytest.approx(other.box)
            assert box.area == pytest.approx(other.area)


def test_a_folder_with_two_json_files_needs_a_name(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(FocusDetrError, match="has 2 json files; name the one to read"):
        read_annotations(tmp_path)


def test_the_image_folder_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"image folder .*gone does not exist"):
        read_annotations(tmp_path / "x.json", tmp_path / "gone")


@pytest.mark.parametrize("name", ["c\x1b[2Jt", "c\nt", "c\x9bt", "c\x00t", "c\u2028t"])
def test_a_class_name_that_a_terminal_would_obey_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "instances.json"
    categories = [{"id": 1, "name": "Kätzchen 猫"}, {"id": 2, "name": name}]
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    with pytest.raises(
        FocusDetrError, match="json: the name of class 1 has control char"
    ) as caught:
        read_annotations(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (("train", "valid"), "in its folders train and valid"),
        (("in/Train2017", "in/val2017"), "in its folders Train2017 and val2017"),
        (("train", "trains"), ""),
        (("valley", "test"), ""),
    ],
)
def test_parts_that_become_one_set_are_told(
    tmp_path: Path, folders: tuple[str, str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in folders:
        write_picture(tmp_path / "images" / folder / "a.png", (20, 40))
        (tmp_path / "labels" / folder).mkdir(parents=True)
        (tmp_path / "labels" / folder / "a.txt").write_text("0 .5 .5 .2 .2")
    (tmp_path / "classes.txt").write_text("cat")
    for source in (tmp_path, tmp_path / "labels"):
        caplog.clear()
        assert len(read_annotations(source).boxes) == 2
        assert told in caplog.text and ("is read as one set" in caplog.text) == bool(told)
    (tmp_path / "list.txt").write_text("".join(f"images/{name}/a.png\n" for name in folders))
    caplog.clear()
    assert len(read_annotations(tmp_path / "list.txt").boxes) == 2
    assert "one set" not in caplog.text
