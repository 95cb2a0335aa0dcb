"""Reading COCO detection files."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.checks import is_finite_number
from focus_detr.data.classes import ClassMap
from focus_detr.errors import FocusDetrError

_log = logging.getLogger(__name__)

Entry = dict[str, Any]
Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageRecord:
    """One image of the file with the boxes a detector should find in it."""

    image_id: int
    path: Path
    height: int  # pixels, as the annotation file says
    width: int
    boxes: np.ndarray  # [n, 4] float32, x1 y1 x2 y2 in pixels, inside the image
    labels: np.ndarray  # [n] int32, class index


@dataclass(frozen=True)
class CocoDataset:
    """The images of one annotation file, in the file's order."""

    records: tuple[ImageRecord, ...]
    classes: ClassMap
    dropped: Mapping[str, int]  # reason -> boxes left out (crowd, inverted, empty, outside)

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

    @classmethod
    def from_files(
        cls,
        annotations: str | Path,
        image_dir: str | Path,
        *,
        classes: ClassMap | None = None,
        filter_empty: bool = False,
    ) -> CocoDataset:
        """Read an annotation file.

        Crowd boxes are left out, boxes are clipped to their image, and boxes with nothing left are
        dropped with one warning that counts them.

        Args:
            annotations: COCO json with images, annotations and categories.
            image_dir: folder that the file names are relative to.
            classes: class map of the model; None numbers the file's categories by ascending id.
            filter_empty: leave out images without boxes.

        Raises:
            FocusDetrError: the file or folder is missing, is not COCO, contradicts itself or does
                not fit ``classes``.
        """
        path, folder = Path(annotations), Path(image_dir)
        content = _load_json(path)
        images = _by_id(content, "images", path)
        categories = _by_id(content, "categories", path)
        found = _class_map(categories, path)
        if classes is not None:
            _check_same_names(classes, found, path)
        boxes, dropped = _boxes_by_image(
            _by_id(content, "annotations", path), images, categories, classes or found, path
        )
        records = tuple(
            _record(entry, folder, boxes[image_id], path)
            for image_id, entry in images.items()
            if boxes[image_id] or not filter_empty
        )
        _check_images(records, folder, path)
        _warn_dropped(dropped, path)
        return cls(records, classes or found, dropped)


def _load_json(path: Path) -> Entry:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise FocusDetrError(f"cannot read annotation file {path}: {error.strerror}") from error
    except ValueError as error:
        raise FocusDetrError(f"annotation file {path} is not valid JSON: {error}") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise FocusDetrError(f"{path} is not a COCO annotation file: it has no '{key}' list")
    return content


def _field(entry: Entry, key: str, kind: type, where: str) -> Any:
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        name = {int: "an integer", str: "a text", list: "a list"}[kind]
        raise FocusDetrError(f"{where}: '{key}' must be {name}, not {value!r}")
    return value


def _by_id(content: Entry, key: str, path: Path) -> dict[int, Entry]:
    """The entries of one list under their ids, which must be unique."""
    entries: dict[int, Entry] = {}
    for position, entry in enumerate(content[key]):
        where = f"{path}: {key}[{position}]"
        if not isinstance(entry, dict):
            raise FocusDetrError(f"{where} must be an object, not {entry!r}")
        number = _field(entry, "id", int, where)
        if number in entries:
            raise FocusDetrError(f"{path}: '{key}' has two entries with id {number}")
        entries[number] = entry
    return entries


def _class_map(categories: dict[int, Entry], path: Path) -> ClassMap:
    if not categories:
        raise FocusDetrError(f"{path}: 'categories' is empty")
    ids = tuple(sorted(categories))
    names = tuple(_field(categories[i], "name", str, f"{path}: category {i}") for i in ids)
    return ClassMap(names, ids)


def _check_same_names(expected: ClassMap, found: ClassMap, path: Path) -> None:
    """A category id that both know must mean the same class."""
    names = dict(zip(expected.category_ids, expected.names, strict=True))
    for category, name in zip(found.category_ids, found.names, strict=True):
        if names.get(category, name) != name:
            raise FocusDetrError(
                f"{path}: category {category} is '{name}' where the model's classes have "
                f"'{names[category]}'"
            )


def _boxes_by_image(
    annotations: dict[int, Entry],
    images: dict[int, Entry],
    categories: dict[int, Entry],
    classes: ClassMap,
    path: Path,
) -> tuple[dict[int, list[tuple[Corners, int]]], Counter[str]]:
    """Image id -> (box, label) of each usable annotation; and why how many others were dropped."""
    labels = classes.labels()
    boxes: dict[int, list[tuple[Corners, int]]] = defaultdict(list)
    dropped: Counter[str] = Counter()
    for number, entry in annotations.items():
        where = f"{path}: annotation {number}"
        category = _field(entry, "category_id", int, where)
        if category not in labels:
            known = "one of the model's classes" if category in categories else "in 'categories'"
            raise FocusDetrError(f"{where}: category {category} is not {known}")
        image_id = _field(entry, "image_id", int, where)
        if image_id not in images:
            raise FocusDetrError(f"{where}: image {image_id} is not in 'images'")
        size = _image_size(images[image_id], path)
        box, reason = _usable_box(_read_box(entry, where), *size)
        if entry.get("iscrowd"):
            dropped["crowd"] += 1
        elif reason:
            dropped[reason] += 1
        else:
            boxes[image_id].append((box, labels[category]))
    return boxes, dropped


def _read_box(entry: Entry, where: str) -> Corners:
    """The annotation's x, y, width, height."""
    values = _field(entry, "bbox", list, where)
    if len(values) != 4 or not all(is_finite_number(value) for value in values):
        raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, not {values!r}")
    x, y, width, height = map(float, values)
    return x, y, width, height


def _usable_box(box: Corners, height: int, width: int) -> tuple[Corners, str]:
    """Corners clipped to the image, and why the box cannot be used ('' if it can)."""
    x, y, box_width, box_height = box
    x1, x2 = (min(max(value, 0.0), float(width)) for value in (x, x + box_width))
    y1, y2 = (min(max(value, 0.0), float(height)) for value in (y, y + box_height))
    reason = ""
    if box_width < 0 or box_height < 0:
        reason = "inverted"
    elif box_width == 0 or box_height == 0:
        reason = "empty"
    elif x2 <= x1 or y2 <= y1:
        reason = "outside"
    return (x1, y1, x2, y2), reason


def _image_size(entry: Entry, path: Path) -> tuple[int, int]:
    where = f"{path}: image {entry['id']}"
    height, width = (_field(entry, key, int, where) for key in ("height", "width"))
    if height < 1 or width < 1:
        raise FocusDetrError(f"{where}: 'height' and 'width' must be positive")
    return height, width


def _record(
    entry: Entry, folder: Path, boxes: list[tuple[Corners, int]], path: Path
) -> ImageRecord:
    height, width = _image_size(entry, path)
    return ImageRecord(
        image_id=entry["id"],
        path=folder / _field(entry, "file_name", str, f"{path}: image {entry['id']}"),
        height=height,
        width=width,
        boxes=np.array([box for box, _ in boxes], np.float32).reshape(-1, 4),
        labels=np.array([label for _, label in boxes], np.int32),
    )


def _check_images(records: tuple[ImageRecord, ...], folder: Path, path: Path) -> None:
    """There are images, and each has its file."""
    if not records:
        raise FocusDetrError(f"{path} has no images to use")
    if not folder.is_dir():
        raise FocusDetrError(f"image folder {folder} does not exist")
    missing = _without_file(records)
    if missing:
        first = f"image {missing[0].image_id}: no file {missing[0].path}"
        count = f" ({len(missing)} of {len(records)} images have none)"
        raise FocusDetrError(f"{path}: {first}{count if len(missing) > 1 else ''}")


def _without_file(records: tuple[ImageRecord, ...]) -> list[ImageRecord]:
    """Each folder is listed once: a look at every file would take minutes on a network disk."""
    names: dict[str, set[str]] = {}
    missing = []
    for record in records:
        folder, name = os.path.split(record.path)
        if folder not in names:
            names[folder] = _file_names(folder)
        if name not in names[folder]:
            missing.append(record)
    return missing


def _file_names(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except (OSError, ValueError):  # a folder that is not there, or with an impossible name
        return set()


def _warn_dropped(dropped: Counter[str], path: Path) -> None:
    bad = {reason: count for reason, count in dropped.items() if reason != "crowd"}
    if bad:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))
        _log.warning("%s: dropped %d unusable boxes (%s)", path, sum(bad.values()), reasons)
