"""Sizes that COCO files leave out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from coco_files import MakeCoco, annotation

from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.formats import read_annotations
from focus_detr.errors import FocusDetrError

MISSING: list[dict[str, Any]] = [
    {},
    {"height": None, "width": None},
    {"height": 0, "width": 30},
    {"height": float("nan"), "width": float("nan")},  # as pandas writes null
]


def without_size(path: Path, size: dict[str, Any]) -> Path:
    content = json.loads(path.read_text())
    for image in content["images"]:
        del image["height"], image["width"]
        image.update(size)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("size", MISSING)
def test_the_size_of_the_picture_is_taken(make_coco: MakeCoco, size: dict[str, Any]) -> None:
    path = without_size(make_coco([(20, 30)], [annotation(1, 1, (25, 15, 9, 9))]), size)
    (record,) = DetectionDataset.from_files(path, path.parent).records
    assert (record.height, record.width) == (20, 30)
    assert record.boxes.tolist() == [[25, 15, 30, 20]]


def test_a_size_may_be_a_text(make_coco: MakeCoco) -> None:
    path = without_size(make_coco([(20, 30)]), {"height": "20", "width": "30.0"})
    (image,) = read_annotations(path).images
    assert (image.height, image.width) == (20, 30)
    path = without_size(path, {"height": "20.5", "width": "30.0"})
    with pytest.raises(FocusDetrError, match=r"'height' must be an integer, not '20\.5'"):
        read_annotations(path)


@pytest.mark.parametrize("name", [{}, {"file_name": None}])
def test_an_address_takes_the_place_of_a_name(make_coco: MakeCoco, name: dict[str, Any]) -> None:
    """LVIS has addresses alone."""
    path = make_coco([(20, 30)], [annotation(1, 1, (2, 2, 9, 9))])
    content = json.loads(path.read_text())
    (image,) = content["images"]
    del image["file_name"]
    image |= {"coco_url": "http://images.example.org/train/1.png", **name}
    path.write_text(json.dumps(content))
    (record,) = DetectionDataset.from_files(path, path.parent).records
    assert record.path == path.parent / "1.png"


def test_a_picture_without_any_size_is_broken(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    path = without_size(make_coco([(20, 30)] * 3, [annotation(1, 1, (2, 2, 9, 9))]), {})
    (path.parent / "3.png").write_bytes(b"no picture")
    read = read_annotations(path)
    with pytest.raises(FocusDetrError, match=r"image 3: cannot read image .*3\.png"):
        DetectionDataset.from_annotations(read)
    with caplog.at_level(logging.WARNING):
        dataset = DetectionDataset.from_annotations(read, skip_broken=True)
    assert [record.image_id for record in dataset.records] == [1, 2]
    assert "left out 1 of 3 images; the first: image 3: cannot read image" in caplog.text


def test_pictures_searched_for_some_classes_only_are_told(
    make_coco: MakeCoco, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_coco([(20, 30), (20, 30)])
    content = json.loads(path.read_text())
    content["images"][1]["neg_category_ids"] = [3]
    path.write_text(json.dumps(content))
    assert len(read_annotations(path).images) == 2
    assert "1 image searched for some classes only, as LVIS has it" in caplog.text
