"""Reading COCO json files, good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_json import read_coco
from focus_detr.errors import FocusDetrError

Edit = Callable[[dict[str, Any]], None]


def test_entries_are_kept_as_they_are(make_coco: MakeCoco) -> None:
    boxes = [
        annotation(1, 1, (-2, 3, 40, 5), area=12.5),
        annotation(2, 1, (0, 0, 2, 3), category_id=7, iscrowd=1, area=None),
    ]
    path = make_coco([(20, 30)], boxes)
    read = read_coco(path, path.parent)
    assert read.classes == ClassMap(("cat", "dog"), (3, 7))
    (image,) = read.images
    assert (image.image_id, image.name, image.height, image.width) == (1, "1.png", 20, 30)
    assert [box.box for box in read.boxes] == [(-2, 3, 40, 5), (0, 0, 2, 3)]
    assert [(box.area, box.crowd) for box in read.boxes] == [(12.5, False), (6, True)]


def test_names_of_another_system_lead_to_the_pictures(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30), (20, 30)], [])
    content = json.loads(path.read_text())
    names = (r"C:\set\1.png", "2.png")
    for entry, name in zip(content["images"], names, strict=True):
        entry["file_name"] = name
    path.write_text(json.dumps(content), encoding="utf-16")
    read = read_coco(path, path.parent)
    assert [image.name for image in read.images] == [*names]
    assert [image.path for image in read.images] == [path.parent / f"{n}.png" for n in (1, 2)]


def test_numbers_and_flags_are_read_as_exports_write_them(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    plain = {"id": "1", "image_id": "1", "category_id": 3.0, "bbox": ["1", "2.5", " 3 ", 4.0]}
    flags = [("0", False), ("1", True), (True, True), ("False", False), (1.0, True), (None, False)]
    content = json.loads(path.read_text())
    content["annotations"] = [{**plain, "iscrowd": given} for given, _ in flags]
    content["annotations"].append({**plain, "ignore": "true", "area": "7.5"})
    content["images"] = [{"id": "1", "file_name": "1.png", "height": 20.0, "width": "30"}]
    path.write_text(json.dumps(content))
    read = read_coco(path, path.parent)
    assert {(box.image_id, box.category_id, box.box) for box in read.boxes} == {
        (1, 3, (1, 2.5, 3, 4))
    }
    assert [box.crowd for box in read.boxes] == [*(crowd for _, crowd in flags), True]
    assert [box.area for box in read.boxes] == [12] * len(flags) + [7.5]
    assert (read.images[0].height, read.images[0].width) == (20, 30)


def test_keys_may_be_in_another_style(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    content = {
        "Images": [{"ID": 1, "fileName": "1.png", "imageHeight": 30, "image_width": 20}],
        "annotations": [
            {"imageId": 1, "categoryId": 3, "boundingBox": [1, 2, 3, 4], "isCrowd": 1, "Area": 5},
            {"image-id": 1, "category_ID": 3, "BBox": [1, 2, 9, 4], "is_difficult": False},
        ],
        "Categories": [{"Id": 3, "Name": "cat"}],
    }
    path.write_text(json.dumps(content))
    read = read_coco(path, path.parent)
    assert [(box.box[2], box.area, box.crowd) for box in read.boxes] == [(3, 5, True), (9, 36, 0)]
    assert (read.images[0].name, read.images[0].height) == ("1.png", 30)
    assert read.classes == ClassMap(("cat",), (3,))


@pytest.mark.parametrize(
    ("more", "crowd"),
    [
        ({"difficult": 1}, True),
        ({"isGroupOf": "true", "iscrowd": 0}, True),
        ({"attributes": {"difficult": True, "occluded": False}}, True),
        ({"attributes": {"is_crowd": 0, "Difficult": "hard"}, "ignore": None}, False),
        ({"attributes": ["difficult"]}, False),
    ],
)
def test_flags_of_other_formats(make_coco: MakeCoco, more: dict[str, Any], crowd: bool) -> None:
    path = make_coco([(20, 30)], [annotation(1, 1, (2, 3, 5, 6), **more)])
    assert [box.crowd for box in read_coco(path, path.parent).boxes] == [crowd]


def test_nan_is_nothing_as_pandas_writes_it(make_coco: MakeCoco) -> None:
    nan = float("nan")
    fields = {"area": nan, "iscrowd": nan, "ignore": nan, "segmentation": nan}
    path = make_coco([(20, 30)], [annotation(1, 1, (2, 3, 5, 6), **fields)])
    assert "NaN" in path.read_text()
    (box,) = read_coco(path, path.parent).boxes
    assert (box.box, box.area, box.crowd) == ((2, 3, 5, 6), 30, False)
    for broken in (nan, float("inf")):
        path = make_coco([(20, 30)], [annotation(1, 1, (2, broken, 5, 6))])
        with pytest.raises(FocusDetrError, match="'bbox' must be four finite numbers"):
            read_coco(path, path.parent)


def test_blanks_around_a_class_name_are_no_part_of_it(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    content = json.loads(path.read_text())
    content["categories"] = [{"id": 1, "name": " hot dog "}]
    path.write_text(json.dumps(content))
    assert read_coco(path, path.parent).classes == ClassMap(("hot dog",), (1,))


def test_what_is_repeated_or_nobody_refers_to_is_no_fault(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [annotation(5, 1, (0, 0, 5, 5)), annotation(5, 1, (9, 9, 5, 5))]
    path = make_coco([(20, 30)], [*boxes, annotation(5, 1, (3, 3, 5, 5))])
    content = json.loads(path.read_text())
    del content["annotations"][2]["id"]
    content["categories"] += [
        content["categories"][0],
        {"id": 0, "name": 5, "supercategory": "none"},
    ]
    content["images"] *= 2
    path.write_text(json.dumps(content))
    read = read_coco(path, path.parent)
    assert (len(read.images), len(read.boxes)) == (1, 3)
    assert read.classes == ClassMap(("5", "cat", "dog"), (0, 3, 7))
    assert "1 image listed again word for word" in caplog.text


def test_doubtful_areas_are_those_of_the_boxes_and_counted(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    areas = [0, -3, 0.08, 160, 0.001, 90, 99]
    boxes = [annotation(i, 1, (0, 0, 10, 9), area=area) for i, area in enumerate(areas)]
    path = make_coco([(20, 30)], boxes)
    read = read_coco(path, path.parent)
    assert [box.area for box in read.boxes] == [90, 90, 90, 90, 90, 90, 99]
    assert (
        "5 areas cannot be that of an object in its box, such as annotation 0 with 0 in a box of "
        "10 x 9" in caplog.text
    )


def test_class_map_of_the_model_without_the_annotated_class(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [annotation(41, 1, (0, 0, 5, 5))])
    with pytest.raises(FocusDetrError, match=r"annotation 41: category 3 is not one of the model"):
        read_coco(path, path.parent, ClassMap(("dog",), (7,)))


def test_class_map_of_the_model_with_another_name(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    with pytest.raises(FocusDetrError, match=r"category 3 is 'cat' where .* 'lion'"):
        read_coco(path, path.parent, ClassMap(("lion",), (3,)))


def _set(key: str, index: int, field: str, value: object) -> Edit:
    return lambda content: content[key][index].__setitem__(field, value)


def _add(key: str, **entry: Any) -> Edit:
    return lambda content: content[key].append({"height": 20, "width": 30, **entry})


def _remove(key: str) -> Edit:
    return lambda content: content.pop(key)


def _clear(key: str) -> Edit:
    return lambda content: content[key].clear()


def test_a_mask_without_a_box_must_be_of_its_picture(make_coco: MakeCoco) -> None:
    mask = {"size": [20, 30], "counts": [41, 5, 554]}
    entry = {**annotation(1, 1, ()), "segmentation": mask}
    path = make_coco([(20, 30)], [entry])
    assert read_coco(path, path.parent).boxes[0].box == (2, 1, 1, 5)
    path = make_coco([(40, 60)], [entry])
    with pytest.raises(FocusDetrError, match=r"annotation 1: .* mask of 30x20 pixels, but .*60x40"):
        read_coco(path, path.parent)


def test_class_names_that_look_alike_are_one(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [])
    content = json.loads(path.read_text())
    names = ["cafe\u0301 ", "\ufeffdog"]
    for entry, name in zip(content["categories"], names, strict=True):
        entry["name"] = name
    path.write_text(json.dumps(content))
    model = ClassMap(("dog", "cafe\u0301"), (3, 7))  # an older checkpoint's
    assert read_coco(path, path.parent, model).classes.names == ("dog", "caf\xe9")


def test_two_categories_of_one_name_are_told(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_coco([(20, 30)], [annotation(1, 1, (0, 0, 5, 5), category_id=9)])
    content = json.loads(path.read_text())
    content["categories"].append({"id": 9, "name": " cat"})
    path.write_text(json.dumps(content))
    read = read_coco(path, path.parent)
    assert read.classes == ClassMap(("cat", "dog", "cat"), (3, 7, 9))
    assert [box.category_id for box in read.boxes] == [9]
    assert "categories 3 and 9 are both called 'cat' and count as two classes" in caplog.text


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_remove("images"), "is not a COCO annotation file: it has no 'images' list"),
        (_remove("annotations"), "it has no 'annotations' list"),
        (_remove("categories"), "it has no 'categories' list"),
        (_clear("categories"), "'categories' is empty"),
        (_set("annotations", 0, "category_id", 99), "annotation 5: category 99 is not in 'cat"),
        (_set("annotations", 0, "image_id", 99), "annotation 5: image 99 is not in 'images'"),
        (_set("annotations", 0, "bbox", [1, 2, 3]), "annotation 5: 'bbox' must be four finite"),
        (_set("annotations", 0, "bbox", [1, 2, 3, "4,5"]), "annotation 5: 'bbox' must be four"),
        (_set("annotations", 0, "bbox", [1, 2, 3, float("nan")]), "annotation 5: 'bbox' must"),
        (_set("annotations", 0, "bbox", [1, 2, 3, 10**400]), "annotation 5: 'bbox' must"),
        (_set("annotations", 0, "bbox", None), "'bbox' .* no 'segmentation' to take it from"),
        (_set("annotations", 0, "iscrowd", 2), "annotation 5: 'iscrowd' must be 0 or 1, not 2"),
        (_set("annotations", 0, "ignore", "no"), "annotation 5: 'ignore' must be 0 or 1, not 'no'"),
        (_set("annotations", 0, "category_id", 3.5), "'category_id' must be an integer, not 3.5"),
        (_add("images", id=1, file_name="2.png"), "'images' has two entries with id 1"),
        (_add("categories", id=7, name="lion"), "'categories' has two entries with id 7"),
        (_set("images", 0, "height", -20), "image 1: 'height' and 'width' must not be negative"),
        (_set("images", 0, "width", 30.5), "image 1: 'width' must be an integer, not 30.5"),
        (_set("images", 0, "id", 1e19), r"images\[0\]: 'id' must be an integer or a text"),
        (_set("images", 0, "file_name", None), "image 1: 'file_name' must be a text"),
        (_set("categories", 0, "name", None), "category 7: 'name' must be a text"),
        (_set("categories", 0, "name", " "), "category 7: 'name' is empty"),
        (lambda content: content["images"].append(3), r"images\[1\] must be an object"),
    ],
)
def test_contradictory_files_are_refused(make_coco: MakeCoco, edit: Edit, message: str) -> None:
    path = make_coco([(20, 30)], [annotation(5, 1, (0, 0, 5, 5))])
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=message) as caught:
        read_coco(path, path.parent)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(FocusDetrError, match=r"file\.json is not"):
        read_coco(path, tmp_path)


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("annotations", "area", "big", "annotation 5: 'area' must be a finite number, not 'big'"),
        ("images", "width", 10**7, "image 1: 'height' and 'width' must be at most 1000000"),
        ("images", "file_name", "\ud800.png", r"image 1: 'file_name' .* is not Unicode text"),
        ("categories", "name", "\udcff", r"category 7: 'name' .* is not Unicode text"),
    ],
)
def test_values_that_would_fail_later_are_refused(
    make_coco: MakeCoco, section: str, field: str, value: object, message: str
) -> None:
    path = make_coco([(20, 30)], [annotation(5, 1, (0, 0, 5, 5))])
    content = json.loads(path.read_text())
    content[section][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=message):
        read_coco(path, path.parent)


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(FocusDetrError, match=r"deep\.json is not valid JSON"):
        read_coco(tmp_path / "deep.json", tmp_path)
