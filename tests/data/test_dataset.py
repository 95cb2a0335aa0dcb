"""Usable boxes and pictures of what was read."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.classes import ClassMap
from focus_detr.data.dataset import DetectionDataset
from focus_detr.errors import FocusDetrError


def test_classes_are_numbered_by_ascending_category_id(make_coco: MakeCoco) -> None:
    boxes = [annotation(1, 1, (2, 3, 4, 5)), annotation(2, 1, (0, 0, 1, 1), category_id=7)]
    path = make_coco([(20, 30)], boxes)
    dataset = DetectionDataset.from_files(path, path.parent)
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
        dataset = DetectionDataset.from_files(path, path.parent)
    np.testing.assert_array_equal(dataset.records[0].boxes, [[0, 0, 5, 7], [25, 15, 30, 20]])
    assert dataset.dropped == {"inverted": 1, "empty": 1, "outside": 2, "crowd": 1}
    assert len(caplog.records) == 1
    assert "dropped 4 unusable boxes (1 empty, 1 inverted, 2 outside)" in caplog.text


def test_images_without_boxes_stay_unless_filtered(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30), (20, 30)], [annotation(1, 2, (0, 0, 5, 5))])
    everything = DetectionDataset.from_files(path, path.parent)
    filtered = DetectionDataset.from_files(path, path.parent, filter_empty=True)
    assert [record.image_id for record in everything.records] == [1, 2]
    assert everything.records[0].boxes.shape == (0, 4)
    assert [record.image_id for record in filtered.records] == [2]


def test_class_map_of_the_model_decides_labels(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [annotation(1, 1, (0, 0, 5, 5))])
    classes = ClassMap(("cow", "cat"), (1, 3))
    dataset = DetectionDataset.from_files(path, path.parent, classes=classes)
    assert dataset.classes == classes
    np.testing.assert_array_equal(dataset.records[0].labels, [1])


def test_every_image_needs_its_file(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)] * 4)
    (path.parent / "3.png").unlink()
    with pytest.raises(FocusDetrError, match=r"image 3: no file .*3\.png$"):
        DetectionDataset.from_files(path, path.parent)
    (path.parent / "2.png").unlink()
    (path.parent / "2.png").mkdir()
    with pytest.raises(
        FocusDetrError, match=r"image 2: .*2\.png \(2 of 4 images cannot be used\)$"
    ):
        DetectionDataset.from_files(path, path.parent)


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
    assert len(DetectionDataset.from_files(path, path.parent)) == 2
    content["images"][1]["file_name"] = "nowhere/2.png"
    path.write_text(json.dumps(content))
    with pytest.raises(FocusDetrError, match=r"image 2: no file .*nowhere/2\.png$"):
        DetectionDataset.from_files(path, path.parent)


def test_file_without_images_is_refused(make_coco: MakeCoco) -> None:
    path = make_coco([])
    with pytest.raises(FocusDetrError, match="has no images to use"):
        DetectionDataset.from_files(path, path.parent)


def test_missing_paths_are_named(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)])
    with pytest.raises(FocusDetrError, match=r"cannot read annotation file .*none\.json"):
        DetectionDataset.from_files(path.parent / "none.json", path.parent)
    with pytest.raises(FocusDetrError, match=r"image folder .*nowhere does not exist"):
        DetectionDataset.from_files(path, path.parent / "nowhere")


def test_training_does_not_keep_the_annotations(make_coco: MakeCoco) -> None:
    path = make_coco([(20, 30)], [annotation(1, 1, (0, 0, 5, 5))])
    dataset = DetectionDataset.from_files(path)
    assert len(dataset.annotations.boxes) == 1
    bare = dataset.without_annotations()
    assert bare.records is dataset.records
    assert bare.annotations.boxes == bare.annotations.images == ()
    assert bare.annotations.source == path


def test_a_box_without_a_size_in_single_precision_is_empty(make_coco: MakeCoco) -> None:
    thin = [annotation(1, 1, (10, 10, 1e-9, 9)), annotation(2, 1, (10, 10, 9, 1e-7))]
    path = make_coco([(40, 60)], [*thin, annotation(3, 1, (59.9999999, 1, 5, 5))])
    sound = DetectionDataset.from_files(path, path.parent)
    assert sound.dropped == {"empty": 2, "outside": 1}
    path = make_coco([(40, 60)], [annotation(1, 1, (10, 10, 1e-4, 9))])
    (record,) = DetectionDataset.from_files(path, path.parent).records
    assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
