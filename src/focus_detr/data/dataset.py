"""A data set as training and evaluation use it: usable boxes with class indices."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from focus_detr.data.annotations import Annotations, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.data.formats import read_annotations
from focus_detr.data.json_fields import ImageId
from focus_detr.data.picture_files import read_size, without_file
from focus_detr.data.stored import StoredBytes
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_TOLD = ("crowd", "repeated")  # no fault, or said while reading

_EPSILON = 2.0**-23  # of a number: nearer ones may be the same in float32

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageRecord:
    """One image of the set with the boxes a detector should find in it."""

    image_id: ImageId
    path: Path
    height: int  # pixels, as the annotations say
    width: int
    boxes: np.ndarray  # [n, 4] float32, x1 y1 x2 y2 in pixels, inside the image
    labels: np.ndarray  # [n] int32, class index
    stored: StoredBytes | None = None  # where it lies, if it is no file of its own


@dataclass(frozen=True)
class DetectionDataset:
    """The images of one annotation source, in its order."""

    records: tuple[ImageRecord, ...]
    classes: ClassMap
    # reason -> boxes left out (crowd, inverted, empty, outside, repeated)
    dropped: Mapping[str, int]
    annotations: Annotations  # what the records were made from

    def __len__(self) -> int:
        """The number of images."""
        return len(self.records)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in class order."""
        return self.classes.names

    @property
    def category_ids(self) -> tuple[int, ...]:
        """Category ids in class order."""
        return self.classes.category_ids

    def lack_of_boxes(self) -> str:
        """Why there is nothing to learn or to measure, in words; '' if there is a usable box."""
        if any(len(record.boxes) for record in self.records):
            return ""
        reasons = [f"{count} {reason}" for reason, count in sorted(self.dropped.items())]
        why = [self.annotations.label_files, f"left out: {', '.join(reasons)}" if reasons else ""]
        # ``filter_empty`` leaves no record of these, and ``without_annotations`` no entry
        images = counted(max(len(self.records), len(self.annotations.images)), "image")
        return "; ".join(
            [f"{self.annotations.source} has {images} and no usable box", *filter(None, why)]
        )

    def without_annotations(self) -> DetectionDataset:
        """The same with an empty part of the annotations: only evaluation reads them again."""
        return replace(self, annotations=self.annotations.only(()))

    @classmethod
    def from_files(
        cls,
        annotations: str | Path,
        image_dir: str | Path | None = None,
        *,
        classes: ClassMap | None = None,
        filter_empty: bool = False,
    ) -> DetectionDataset:
        """Read annotations of any format, see ``read_annotations`` and ``from_annotations``.

        Raises:
            FocusDetrError: as both.
        """
        read = read_annotations(annotations, image_dir, classes=classes)
        return cls.from_annotations(read, classes=classes, filter_empty=filter_empty)

    @classmethod
    def from_annotations(
        cls,
        annotations: Annotations,
        *,
        classes: ClassMap | None = None,
        filter_empty: bool = False,
        skip_broken: bool = False,
    ) -> DetectionDataset:
        """Find the pictures and the usable boxes.

        Crowd boxes are left out, boxes are clipped to their image, and boxes with nothing left are
        dropped with one warning that counts them.

        Args:
            annotations: what was read.
            classes: class map of the model; None takes the source's.
            filter_empty: leave out images without boxes.
            skip_broken: leave out images that are missing or unreadable, with one warning that
                counts them, unless these are more than half.

        Raises:
            FocusDetrError: a picture is missing, there is none to use, or ``filter_empty`` leaves
                none.
        """
        annotations = _with_pictures(annotations, skip_broken)
        boxes, dropped = _usable_boxes(annotations, classes or annotations.classes)
        records = tuple(
            _record(image, boxes[image.image_id])
            for image in annotations.images
            if boxes[image.image_id] or not filter_empty
        )
        if not annotations.images:
            raise FocusDetrError(f"{annotations.source} has no images to use")
        _warn_dropped(dropped, annotations.source)
        dataset = cls(records, classes or annotations.classes, dropped, annotations)
        if not records:
            raise FocusDetrError(dataset.lack_of_boxes())
        return dataset


def _with_pictures(annotations: Annotations, skip_broken: bool) -> Annotations:
    """The annotations of the pictures that are there."""
    missing = without_file(annotations.images)
    problems = list(annotations.unreadable)
    problems += [f"image {image.image_id}: no file {image.path}" for image in missing]
    gone = {image.image_id for image in missing}
    unknown = [i for i in annotations.images if not i.height and i.image_id not in gone]
    problems += [f"image {image.image_id}: {_why_without_size(image)}" for image in unknown]
    if not problems:
        return annotations
    total = len(annotations.images) + len(annotations.unreadable)
    count = f" ({len(problems)} of {total} images cannot be used)" if len(problems) > 1 else ""
    if not skip_broken or 2 * len(problems) > total:
        raise FocusDetrError(f"{annotations.source}: {problems[0]}{count}")
    _log.warning(
        "%s: left out %d of %s; the first: %s",
        *(annotations.source, len(problems), counted(total, "image"), problems[0]),
    )
    gone |= {image.image_id for image in unknown}
    kept = annotations.only({i.image_id for i in annotations.images if i.image_id not in gone})
    return replace(kept, unreadable=())


def _why_without_size(image: ImageEntry) -> str:
    """Why a size that the annotations lack could not be had from the picture."""
    try:
        return "its height and width are {} and {}".format(*read_size(image.path))
    except FocusDetrError as error:
        return str(error)


def _usable_boxes(
    annotations: Annotations, classes: ClassMap
) -> tuple[dict[ImageId, list[tuple[Corners, int]]], Counter[str]]:
    """Image id -> (box, label) of each usable annotation; and why how many others were dropped."""
    labels = classes.labels()
    sizes = {image.image_id: (image.height, image.width) for image in annotations.images}
    boxes: dict[ImageId, list[tuple[Corners, int]]] = defaultdict(list)
    dropped: Counter[str] = Counter(["repeated"] * len(annotations.repeated))
    for entry in annotations.boxes:
        box, reason = _usable_box(entry.box, *sizes[entry.image_id])
        if entry.crowd:
            dropped["crowd"] += 1
        elif reason:
            dropped[reason] += 1
        else:
            boxes[entry.image_id].append((box, labels[entry.category_id]))
    return boxes, dropped


def _usable_box(box: Corners, height: int, width: int) -> tuple[Corners, str]:
    """Corners clipped to the image, and why the box cannot be used ('' if it can)."""
    x, y, box_width, box_height = box
    x1, x2 = (min(max(value, 0.0), float(width)) for value in (x, x + box_width))
    y1, y2 = (min(max(value, 0.0), float(height)) for value in (y, y + box_height))
    reason = ""
    if box_width < 0 or box_height < 0:
        reason = "inverted"
    elif box_width <= _EPSILON * x2 or box_height <= _EPSILON * y2:
        reason = "empty"
    elif x2 - x1 <= _EPSILON * x2 or y2 - y1 <= _EPSILON * y2:
        reason = "outside"
    return (x1, y1, x2, y2), reason


def _record(image: ImageEntry, boxes: list[tuple[Corners, int]]) -> ImageRecord:
    return ImageRecord(
        image_id=image.image_id,
        path=image.path,
        height=image.height,
        width=image.width,
        boxes=np.array([box for box, _ in boxes], np.float32).reshape(-1, 4),
        labels=np.array([label for _, label in boxes], np.int32),
        stored=image.stored,
    )


def _warn_dropped(dropped: Counter[str], source: Path) -> None:
    bad = {reason: count for reason, count in dropped.items() if reason not in _TOLD}
    if bad:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))
        dropped_boxes = counted(sum(bad.values()), "unusable box")
        _log.warning("%s: dropped %s (%s)", source, dropped_boxes, reasons)
