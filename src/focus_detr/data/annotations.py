"""What an annotation file or folder says, in one form for every format."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from focus_detr.data.classes import ClassMap
from focus_detr.data.json_fields import ImageId
from focus_detr.data.stored import StoredBytes

MAX_SIDE = 1_000_000  # pixels; a larger picture is a slip of the pen


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One picture."""

    image_id: ImageId
    name: str  # as the source calls it, mostly the path below the image folder
    path: Path
    height: int  # pixels; 0 if neither the source nor the file says it
    width: int
    stored: StoredBytes | None = None  # where it lies, if it is no file of its own


@dataclass(frozen=True, slots=True)
class BoxEntry:
    """One box as it is written: not clipped, perhaps without an area."""

    image_id: ImageId
    category_id: int
    box: tuple[float, float, float, float]  # x, y, width, height in pixels
    area: float  # of the object, which may fill only a part of its box; square pixels
    crowd: bool = False  # not to be learnt; a detection on it counts neither way


@dataclass(frozen=True)
class Annotations:
    """The pictures, boxes and classes of one source."""

    source: Path  # names it in messages
    images: tuple[ImageEntry, ...]
    boxes: tuple[BoxEntry, ...]
    classes: ClassMap  # the source's own, with the model's category ids where the names agree
    unreadable: tuple[str, ...] = ()  # a sentence for each picture that had to be left out
    label_files: str = ""  # which were read, in words; '' if the source itself has the boxes
    numbered: bool = False  # image ids are places in an order of names, not the source's own
    repeated: tuple[ImageId, ...] = ()  # the image of each box that was left out as a duplicate
    other_ids: Mapping[ImageId, ImageId] = field(default_factory=dict)  # further id -> image's id

    def only(self, image_ids: Container[ImageId]) -> Annotations:
        """The part with these images; classes and ids stay."""
        return replace(
            self,
            images=tuple(image for image in self.images if image.image_id in image_ids),
            boxes=tuple(box for box in self.boxes if box.image_id in image_ids),
            repeated=tuple(image_id for image_id in self.repeated if image_id in image_ids),
        )

    def to_coco(self) -> dict[str, Any]:
        """The content of a COCO json file; annotation ids count from 1."""
        return {
            "info": {},
            "images": [
                {
                    "id": image.image_id,
                    "file_name": image.name,
                    "height": image.height,
                    "width": image.width,
                }
                for image in self.images
            ],
            "categories": [
                {"id": category, "name": name}
                for category, name in zip(
                    self.classes.category_ids, self.classes.names, strict=True
                )
            ],
            "annotations": [
                {
                    "id": number,
                    "image_id": box.image_id,
                    "category_id": box.category_id,
                    "bbox": list(box.box),
                    "area": box.area,
                    "iscrowd": int(box.crowd),
                }
                for number, box in enumerate(self.boxes, start=1)
            ],
        }
