"""Reading COCO files, good and bad."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.classes import ClassMap
from focus_detr.data.coco import CocoDataset
from focus_detr.errors import FocusDetrError

Edit = Callable[[dict[str, Any]], None]


def test_classes_are_numbered_by_ascending_category_id(make_coco: MakeCoco) -> None:
    boxes = [annotation(1, 1, (2, 3, 4, 5)), annotation(2, 1, (0, 0, 1, 1), category_id=7)]
    path = make_coco([(20, 30)], boxes)
    dataset = CocoDataset.from_files(path, path.parent)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.category_ids == (3, 7)
    record = dataset.records[0]
    assert (record.image_id, record.height, record.width) == (1, 20, 30)
    np.testing.assert_array_equal(record.boxes, [[2, 3, 6, 8], [0, 0, 1, 1]])
    np.testing.assert_array_equal(record.labels, [0, 1])
    assert record.boxes.dtype == np.float32


def test_bad_boxes_are_clipped_or_dropped_and_counted(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [
        annotation(1, 1, (-5, -5, 10, 12)),
        annotation(2, 1, (25, 15, 100, 100)),
        annotation(3, 1, (10, 10, -4, 5)),
        annotation(4, 1, (10, 10, 4, 0)),
        annotation(5, 1, (30, 0, 4, 4)),
        annotation(6, 1, (-9, 0, 4, 4)),
        annotation(7, 1, (1, 1, 4, 4), iscrowd=1),
    ]
    path = make_coco([(20, 30)], boxes)
    with caplog.at_level(logging.WARNING):
        dataset = CocoDataset.from_files(path, path.parent)
    np.testing.assert_array_equal(dataset.records[0].boxes, [[0, 0, 5, 7], [25, 15, 30, 20]])
    assert dataset.dropped == {"inverted": 1, "empty": 1, "outside": 2, "crowd": 1}
    assert len(caplog.records) == 1
    assert "dropped 4 unusable boxes (1 empty, 1 inverted, 2 outside)" in caplog.text


def test_images_without_boxes_stay_unless_filtered(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30), (20, 30)], [annotation(1, 2, (0, 0, 5, 5))])
    everything = CocoDataset.from_files(path, path.parent)
    filtered = CocoDataset.from_files(path, path.parent, filter_empty=True)
    assert [record.image_id for record in everything.records] == [1, 2]
    assert everything.records[0].boxes.shape == (0, 4)
    assert [record.image_id for record in filtered.records] == [2]


def test_class_map_of_the_model_decides_labels(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [annotation(1, 1, (0, 0, 5, 5))])
    classes = ClassMap(("cow", "cat"), (1, 3))
    dataset = CocoDataset.from_files(path, path.parent, classes=classes)
    assert dataset.classes == classes
    np.testing.assert_array_equal(dataset.records[0].labels, [1])


def test_class_map_of_the_model_without_the_annotated_class(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [annotation(41, 1, (0, 0, 5, 5))])
    with pytest.raises(FocusDetrError, match=r"annotation 41: category 3 is not one of the model"):
        CocoDataset.from_files(path, path.parent, classes=ClassMap(("dog",), (7,)))


def test_class_map_of_the_model_with_another_name(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    with pytest.raises(FocusDetrError, match=r"category 3 is 'cat' where .* 'lion'"):
        CocoDataset.from_files(path, path.parent, classes=ClassMap(("lion",), (3,)))


def _set(key: str, index: int, field: str, value: object) -> Edit:
    return lambda content: content[key][index].__setitem__(field, value)


def _repeat(key: str) -> Edit:
    return lambda content: content[key].append(content[key][0])


def _remove(key: str) -> Edit:
    return lambda content: content.pop(key)


def _clear(key: str) -> Edit:
    return lambda content: content[key].clear()


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
        (_set("annotations", 0, "bbox", [1, 2, 3, "4"]), "annotation 5: 'bbox' must be four"),
        (_set("annotations", 0, "bbox", [1, 2, 3, float("nan")]), "annotation 5: 'bbox' must"),
        (_set("annotations", 0, "bbox", [1, 2, 3, 10**400]), "annotation 5: 'bbox' must"),
        (_set("annotations", 0, "bbox", None), "annotation 5: 'bbox' must be a list"),
        (_set("annotations", 0, "id", "5"), r"annotations\[0\]: 'id' must be an integer"),
        (_repeat("annotations"), "'annotations' has two entries with id 5"),
        (_repeat("images"), "'images' has two entries with id 1"),
        (_repeat("categories"), "'categories' has two entries with id 7"),
        (_set("images", 0, "height", 0), "image 1: 'height' and 'width' must be positive"),
        (_set("images", 0, "width", "30"), "image 1: 'width' must be an integer"),
        (_set("images", 0, "file_name", None), "image 1: 'file_name' must be a text"),
        (_set("images", 0, "file_name", "gone.png"), r"image 1: no file .*gone\.png"),
        (_set("categories", 0, "name", 5), "category 7: 'name' must be a text"),
        (lambda content: content["images"].append(3), r"images\[1\] must be an object"),
    ],
)
def test_contradictory_files_are_refused(make_coco: MakeCoco, edit: Edit, message: str) -> None:
    path = make_coco([(20, 30)], [annotation(5, 1, (0, 0, 5, 5))])
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=message) as caught:
        CocoDataset.from_files(path, path.parent)
    assert str(path) in str(caught.value)


def test_every_image_needs_its_file(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)] * 4)
    (path.parent / "3.png").unlink()
    with pytest.raises(FocusDetrError, match=r"image 3: no file .*3\.png$"):
        CocoDataset.from_files(path, path.parent)
    (path.parent / "2.png").unlink()
    (path.parent / "2.png").mkdir()
    with pytest.raises(
        FocusDetrError, match=r"image 2: .*2\.png \(2 of 4 images cannot be used\)$"
    ):
        CocoDataset.from_files(path, path.parent)


def test_images_may_lie_in_folders_and_behind_links(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)] * 2)
    folder = path.parent / "inner" / "most"
    folder.mkdir(parents=True)
    (path.parent / "1.png").rename(folder / "1.png")
    (folder / "2.png").symlink_to(path.parent / "2.png")
    content = json.loads(path.read_text())
    for entry in content["images"]:
        entry["file_name"] = f"inner/most/{entry['file_name']}"
    path.write_text(json.dumps(content))
    assert len(CocoDataset.from_files(path, path.parent)) == 2
    content["images"][1]["file_name"] = "nowhere/2.png"
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=r"image 2: no file .*nowhere/2\.png$"):
        CocoDataset.from_files(path, path.parent)


def test_file_without_images_is_refused(make_coco: MakeCoco) -> None:
    path = make_coco([])
    with pytest.raises(FocusDetrError, match="has no images to use"):
        CocoDataset.from_files(path, path.parent)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(FocusDetrError, match=r"file\.json is not"):
        CocoDataset.from_files(path, tmp_path)


def test_missing_paths_are_named(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    with pytest.raises(FocusDetrError, match=r"cannot read annotation file .*none\.json"):
        CocoDataset.from_files(path.parent / "none.json", path.parent)
    with pytest.raises(FocusDetrError, match=r"image folder .*nowhere does not exist"):
        CocoDataset.from_files(path, path.parent / "nowhere")
