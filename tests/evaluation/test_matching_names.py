"""Saved detections meet the pictures and classes they were made for, or it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from annotation_files import voc_xml, write_picture, write_voc, write_yolo

from focus_detr.data.formats import read_annotations
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import evaluate_detections

SIZES = {"b": (100, 200), "c": (100, 200)}
LABELS = {"b": "0 .3 .4 .2 .2", "c": "1 .6 .5 .3 .4"}
OBJECTS = {"b": [("cat", (11, 21, 60, 80), 0)], "c": [("dog", (1, 1, 40, 40), 0)]}


def perfect(source: Path, *, named: bool = True) -> list[dict[str, Any]]:
    """What a perfect detector saves."""
    read = read_annotations(source)
    names = {image.image_id: image.name for image in read.images}
    classes = dict(zip(read.classes.category_ids, read.classes.names, strict=True))
    found = []
    for box in read.boxes:
        entry = {"image_id": box.image_id, "category_id": box.category_id, "score": 0.9}
        entry["bbox"] = list(box.box)
        if named:
            entry |= {"file_name": names[box.image_id], "category_name": classes[box.category_id]}
        found.append(entry)
    return found


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "yolo", SIZES, LABELS)


def add_picture(yolo: Path) -> None:
    write_picture(yolo.parent / "images" / "train" / "a.png", (100, 200))


def test_an_unchanged_set_is_no_news(yolo: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert evaluate_detections(yolo, perfect(yolo)).metrics["AP"] == pytest.approx(1)
    assert not caplog.records


def test_a_picture_that_was_added_moves_no_detection(
    yolo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = perfect(yolo)
    add_picture(yolo)
    assert evaluate_detections(yolo, saved, "found.json").metrics["AP"] == pytest.approx(1)
    assert "found.json: 2 detections found by name" in caplog.text


def test_a_class_that_was_added_moves_no_detection(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "set", SIZES, OBJECTS)
    saved = perfect(root)
    (root / "Annotations" / "b.xml").write_text(
        voc_xml("b.png", SIZES["b"], [*OBJECTS["b"], ("ant", (100, 50, 120, 90), 0)])
    )
    per_class = evaluate_detections(root, saved).per_class
    assert {name: precision.ap for name, precision in per_class.items()} == pytest.approx(
        {"ant": 0, "cat": 1, "dog": 1}
    )


def test_results_without_names_are_told(yolo: Path, caplog: pytest.LogCaptureFixture) -> None:
    evaluate_detections(yolo, perfect(yolo, named=False), "found.json")
    assert "found.json names no pictures, and image ids of VOC and YOLO sets" in caplog.text


def test_a_picture_that_is_gone_is_refused(yolo: Path) -> None:
    saved = perfect(yolo)
    (yolo.parent / "images" / "train" / "b.png").rename(yolo.parent / "images" / "train" / "x.png")
    with pytest.raises(FocusDetrError, match=r"detection 1 is of picture 'b\.png', but image 1 of"):
        evaluate_detections(yolo, saved)


@pytest.mark.parametrize(
    ("section", "field", "message"),
    [
        ("images", "file_name", "detection 1 is of picture 'b.png', but image 1 of .* is 'c.png'"),
        ("categories", "name", "detection 1 is of class 'cat', but category 1 of .* is 'dog'"),
    ],
)
def test_a_coco_file_that_gives_its_ids_to_others_is_refused(
    yolo: Path, tmp_path: Path, section: str, field: str, message: str
) -> None:
    content = read_annotations(yolo).to_coco()
    first, second = content[section]
    first[field], second[field] = second[field], first[field]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=message):
        evaluate_detections(path, perfect(yolo))


@pytest.mark.parametrize("name", ["D:\\data\\{}.png", "%62.png", "B.PNG"])
def test_names_of_another_system_are_the_same(yolo: Path, name: str) -> None:
    saved = perfect(yolo)
    for entry in saved[: 1 + ("{}" in name)]:
        entry["file_name"] = name.format(Path(entry["file_name"]).stem)
    assert evaluate_detections(yolo, saved).metrics["AP"] == pytest.approx(1)


def test_detections_that_come_twice_are_counted(
    yolo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = perfect(yolo)
    evaluate_detections(yolo, [*saved, {**saved[0], "score": 0.8}], "found.json")
    assert not caplog.text
    evaluate_detections(yolo, [*saved, *saved], "found.json")
    assert "found.json: 2 detections written more than once" in caplog.text
    assert "such as [40, 30, 40, 20] in image 1; all but the first count as wrong" in caplog.text


def test_pictures_without_detections_are_counted(
    yolo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate_detections(yolo, perfect(yolo)[1:], "found.json")
    assert "found.json: nothing is found in 1 of 2 images with objects, such as b.png" in (
        caplog.text
    )
