"""Pictures and boxes that come twice are used once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from annotation_files import write_voc, write_yolo
from coco_files import MakeCoco, annotation
from hypothesis import given
from hypothesis import strategies as st

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.formats import read_annotations
from focus_detr.data.mindrecord_writing import write_mindrecord
from focus_detr.data.repeats import without_repeats
from focus_detr.evaluation.coco_metrics import evaluate_detections

SIZES = {"a": (100, 200), "b": (100, 200)}


def boxes_of(source: Path) -> list[int]:
    dataset = DetectionDataset.from_files(source)
    assert dataset.dropped == {"repeated": 1}
    return [len(record.boxes) for record in dataset.records]


def test_voc(tmp_path: Path) -> None:
    twice = ("cat", (11, 21, 60, 80), 0)
    objects = {"a": [twice, ("dog", (11, 21, 60, 80), 0), twice]}
    assert boxes_of(write_voc(tmp_path / "set", SIZES, objects)) == [2, 0]


def test_yolo(tmp_path: Path) -> None:
    labels = {"a": "0 .3 .4 .2 .2\n0 0.3001 .4 .2 0.2\n1 .3 .4 .2 .2", "b": "0 .3 .4 .2 .2"}
    assert boxes_of(write_yolo(tmp_path / "set", SIZES, labels)) == [2, 1]


@pytest.fixture
def coco(make_coco: MakeCoco) -> Path:
    box = (10, 20, 30, 40)
    boxes = [annotation(1, 1, box), annotation(2, 1, box, iscrowd=1), annotation(3, 2, box)]
    rounded = annotation(4, 1, (10.04, 19.96, 30, 40))
    return make_coco([(100, 200)] * 2, [*boxes, rounded])


def test_coco_in_training_and_evaluation(coco: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = DetectionDataset.from_files(coco, coco.parent)
    assert dataset.dropped == {"repeated": 1, "crowd": 1}
    assert [len(record.boxes) for record in dataset.records] == [1, 1]
    assert "left out 1 repeated box of the same class" in caplog.text
    perfect = [
        {"image_id": image, "category_id": 3, "bbox": [10, 20, 30, 40], "score": 0.9}
        for image in (1, 2)
    ]
    assert evaluate_detections(coco, perfect).metrics["AP"] == pytest.approx(1)


def test_packed_sets(coco: Path, tmp_path: Path) -> None:
    read = read_annotations(coco)
    (doubled,) = [box for box in read.boxes if box.image_id == 2]
    packed = tmp_path / "packed"
    write_mindrecord(Annotations(coco, read.images, (*read.boxes, doubled), read.classes), packed)
    assert len(read_annotations(packed).boxes) == 3


def test_a_picture_under_two_ids_gets_the_boxes_of_both(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_coco([(100, 200)] * 2, [annotation(1, 1, (1, 2, 30, 40))])
    content = json.loads(path.read_text())
    content["images"].append({**content["images"][0], "id": 99, "file_name": "./1.png"})
    content["annotations"] += [annotation(2, 99, (1, 2, 30, 40)), annotation(3, 99, (50, 60, 9, 9))]
    path.write_text(json.dumps(content))
    dataset = DetectionDataset.from_files(path)
    assert [record.image_id for record in dataset.records] == [1, 2]
    assert dataset.records[0].boxes.tolist() == [[1, 2, 31, 42], [50, 60, 59, 69]]
    assert "1 picture listed under several ids, such as ./1.png" in caplog.text
    both = [
        {"image_id": image, "category_id": 3, "bbox": box, "score": 0.9}
        for image, box in ((1, [1, 2, 30, 40]), (99, [50, 60, 9, 9]))
    ]
    assert evaluate_detections(path, both).metrics["AP"] == pytest.approx(1)
    again = [{**found, "image_id": image} for image in (1, 99) for found in both]
    assert evaluate_detections(path, again).metrics["AP"] == pytest.approx(1)
    again = [{**found, "image_id": 1} for found in (both[0], both[0], both[1])]
    assert evaluate_detections(path, again).metrics["AP"] < 1  # one id, so it was found twice


NUMBERS = st.integers(0, 5).map(float)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans()), max_size=12))
def test_whole_numbers_are_the_same_exactly_if_they_are_equal(
    entries: list[tuple[float, float, float, float, bool]],
) -> None:
    boxes = tuple(BoxEntry(1, 1, entry[:4], 1.0, entry[4]) for entry in entries)
    image = ImageEntry(1, "a.png", Path("a.png"), 9, 9)
    kept = without_repeats(Annotations(Path("s"), (image,), boxes, ClassMap(("a",), (1,))))
    assert list(kept.boxes) == list(dict.fromkeys(boxes))
    assert len(kept.repeated) == len(boxes) - len(kept.boxes)
