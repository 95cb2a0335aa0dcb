"""What is said about a data set before a training."""

from __future__ import annotations

from coco_files import MakeCoco, annotation

from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.summary import summarise


def test_numbers_of_a_small_set(make_coco: MakeCoco) -> None:
    boxes = [
        annotation(1, 1, (0, 0, 4, 9)),
        annotation(2, 1, (0, 0, 10, 10)),
        annotation(3, 2, (0, 0, 100, 100)),
        annotation(4, 2, (5, 5, -1, 1)),
        annotation(5, 2, (5, 5, 9, 9), iscrowd=1),
    ]
    path = make_coco([(20, 30), (200, 300), (40, 50)], boxes)
    assert summarise(DetectionDataset.from_files(path), "training data").splitlines() == [
        f"training data: {path}",
        "  3 images (1 without boxes), 3 boxes, at most 2 in one image",
        "  image sizes (width x height): smallest 30x20, median 50x40, largest 300x200",
        "  box sizes (root of the area, pixels): 5 % below 6, median 10, 5 % above 91; "
        "67% below 32, 33% from 96",
        "  boxes left out: 1 crowd, 1 inverted",
        "  class cat: 3 boxes in 2 images",
        "  no boxes of: dog",
    ]


def test_a_set_without_boxes(make_coco: MakeCoco) -> None:
    lines = summarise(DetectionDataset.from_files(make_coco([(20, 30)] * 2)), "data").splitlines()
    assert lines[1] == "  2 images (2 without boxes), 0 boxes, at most 0 in one image"
    assert lines[2] == "  image sizes (width x height): all 30x20"
    assert not any("box sizes" in line or "left out" in line for line in lines)
