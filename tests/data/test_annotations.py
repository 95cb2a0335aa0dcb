"""The common form of annotations."""

from __future__ import annotations

from pathlib import Path

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap

WHOLE = Annotations(
    Path("set"),
    (ImageEntry(4, "a.png", Path("x/a.png"), 20, 30), ImageEntry(9, "b.png", Path("b"), 5, 6)),
    (BoxEntry(4, 3, (1, 2, 3, 4), 10.5), BoxEntry(9, 7, (0, 0, 5, 5), 25, crowd=True)),
    ClassMap(("cat", "dog"), (3, 7)),
)


def test_a_part_keeps_ids_and_classes() -> None:
    part = WHOLE.only({9})
    assert part.images == WHOLE.images[1:]
    assert part.boxes == WHOLE.boxes[1:]
    assert part.classes == WHOLE.classes


def test_coco_content() -> None:
    content = WHOLE.to_coco()
    assert content["images"][0] == {"id": 4, "file_name": "a.png", "height": 20, "width": 30}
    assert content["categories"] == [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
    assert content["annotations"] == [
        {
            "id": 1,
            "image_id": 4,
            "category_id": 3,
            "bbox": [1, 2, 3, 4],
            "area": 10.5,
            "iscrowd": 0,
        },
        {"id": 2, "image_id": 9, "category_id": 7, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 1},
    ]
