"""Reading COCO detection files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from focus_detr.data.annotations import Annotations, BoxEntry
from focus_detr.data.class_names import clean_name
from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_boxes import Size, annotation_area, annotation_box
from focus_detr.data.coco_corners import CornerJudge
from focus_detr.data.coco_images import read_images
from focus_detr.data.json_fields import (
    FLAGS,
    ROTATION,
    Entry,
    ImageId,
    flag,
    known_flag,
    read_entry,
    read_image_id,
    read_text,
    read_whole,
)
from focus_detr.data.key_styles import KeyStyles
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_LISTS = ("images", "categories", "annotations")
_BOXES = ("bbox", "bbox_mode", "area", "segmentation", "attributes", "rotation", "keypoints")
_STYLES = KeyStyles(_LISTS)
_CATEGORY = KeyStyles(("id", "name"))
_ANNOTATION = KeyStyles(
    ("id", "image_id", "category_id", *_BOXES),
    {"bounding_box": "bbox", "bndbox": "bbox", "box": "bbox", "ignored": "ignore"},
    FLAGS,
)
_ATTRIBUTES = KeyStyles((ROTATION,), flags=FLAGS)


def read_coco(
    path: Path, image_dir: Path, classes: ClassMap | None = None, *, pictures: bool = True
) -> Annotations:
    """Read a COCO json file with images, annotations and categories.

    Args:
        path: the file.
        image_dir: folder that its file names are relative to.
        classes: class map of the model; a category id that both know must mean the same class.
        pictures: see ``annotations_from_coco``.

    Raises:
        FocusDetrError: the file is missing, is not COCO, contradicts itself or does not fit
            ``classes``.
    """
    return annotations_from_coco(_load_json(path), path, image_dir, classes, pictures=pictures)


def annotations_from_coco(
    content: Entry,
    path: Path,
    image_dir: Path,
    classes: ClassMap | None = None,
    *,
    look: bool = True,
    pictures: bool = True,
) -> Annotations:
    """The same for what such a file holds; ``path`` names it in messages.

    Args:
        content: with the lists ``images``, ``annotations`` and ``categories``.
        path: names it in messages.
        image_dir: folder of the pictures.
        classes: class map of the model.
        look: find the pictures' files, see ``find_all``; otherwise names are paths.
        pictures: whether they will be opened; otherwise their names and sizes may be missing.

    Raises:
        FocusDetrError: it contradicts itself or does not fit ``classes``.
    """
    categories = _categories(content, path)
    found = _class_map(categories, path)
    if classes is not None:
        _check_same_names(classes, found, path)
    images = read_images(content["images"], path, image_dir, look=look, pictures=pictures)
    sizes = {image.image_id: (image.height, image.width) for image in images}
    boxes = _boxes(content, path, sizes, categories, classes)
    return Annotations(path, images, boxes, found)


def _load_json(path: Path) -> Entry:
    try:
        content = json.loads(path.read_bytes(), parse_constant=_constant)
    except OSError as error:
        raise FocusDetrError(f"cannot read annotation file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FocusDetrError(f"annotation file {path} is not valid JSON: {error}") from error
    content = _STYLES.plain(content, str(path)) if isinstance(content, dict) else {}
    for key in _LISTS:
        if not isinstance(content.get(key), list):
            raise FocusDetrError(f"{path} is not a COCO annotation file: it has no '{key}' list")
    return content


def _constant(name: str) -> float | None:
    """What JSON lacks and programs write all the same; pandas has NaN for what is not there."""
    return None if name == "NaN" else float(name)


def _categories(content: Entry, path: Path) -> dict[int, Entry]:
    """The categories under their ids; one that is repeated as it was counts once."""
    categories: dict[int, Entry] = {}
    for position, written in enumerate(content["categories"]):
        where = f"{path}: categories[{position}]"
        entry = read_entry(written, _CATEGORY, where)
        number = read_whole(entry, "id", where)
        if categories.setdefault(number, entry).get("name") != entry.get("name"):
            raise FocusDetrError(f"{path}: 'categories' has two entries with id {number}")
    return categories


def _class_map(categories: dict[int, Entry], path: Path) -> ClassMap:
    if not categories:
        raise FocusDetrError(f"{path}: 'categories' is empty")
    ids = tuple(sorted(categories))
    names = tuple(_class_name(categories[i], f"{path}: category {i}") for i in ids)
    _warn_same_names(names, ids, path)
    return ClassMap(names, ids)


def _warn_same_names(names: Sequence[str], ids: Sequence[int], path: Path) -> None:
    """Ids tell classes apart, so that the numbers are COCO's; merged files may not mean that."""
    first: dict[str, int] = {}
    for name, number in zip(names, ids, strict=True):
        if first.setdefault(name, number) != number:
            _log.warning(
                "%s: categories %d and %d are both called %r and count as two classes; give their "
                "annotations one 'category_id' if they are one",
                *(path, first[name], number, name),
            )


def _class_name(entry: Entry, where: str) -> str:
    """A text, or a number, which some tools write without quotes."""
    name = entry.get("name")
    if isinstance(name, (int, float)) and not isinstance(name, bool):
        return str(name)
    text = clean_name(read_text(entry, "name", where))
    if not text:
        raise FocusDetrError(f"{where}: 'name' is empty")
    return text


def _check_same_names(expected: ClassMap, found: ClassMap, path: Path) -> None:
    """A category id that both know must mean the same class."""
    names = dict(zip(expected.category_ids, expected.names, strict=True))
    for category, name in zip(found.category_ids, found.names, strict=True):
        if clean_name(names.get(category, name)) != name:
            raise FocusDetrError(
                f"{path}: category {category} is '{name}' where the model's classes have "
                f"'{names[category]}'"
            )


def _boxes(
    content: Entry,
    path: Path,
    sizes: dict[ImageId, Size],
    categories: dict[int, Entry],
    classes: ClassMap | None,
) -> tuple[BoxEntry, ...]:
    usable = set(classes.category_ids) if classes else set(categories)
    boxes: list[BoxEntry] = []
    doubtful: list[str] = []
    judge = CornerJudge(path)
    for where, entry in _annotations(content["annotations"], path):
        category = read_whole(entry, "category_id", where)
        if category not in usable:
            known = "one of the model's classes" if category in categories else "in 'categories'"
            raise FocusDetrError(f"{where}: category {category} is not {known}")
        image_id = read_image_id(entry, "image_id", where)
        if image_id not in sizes:
            raise FocusDetrError(f"{where}: image {image_id} is not in 'images'")
        box = annotation_box(entry, where, sizes[image_id])
        judge.look(entry, box)
        area, doubt = annotation_area(entry, box, where)
        if doubt:
            size = f"{box[2]:g} x {box[3]:g}"
            doubtful.append(f"annotation {entry.get('id')} with {entry['area']} in a box of {size}")
        boxes.append(BoxEntry(image_id, category, box, area, _is_crowd(entry, where)))
    judge.finish()
    _warn_areas(doubtful, path)
    return tuple(boxes)


def _annotations(entries: list[Any], path: Path) -> Iterator[tuple[str, Entry]]:
    """Each annotation with its place in words; ids may be missing or repeated, as in merged files.

    Nothing refers to them.
    """
    for position, written in enumerate(entries):
        entry = read_entry(written, _ANNOTATION, f"{path}: annotations[{position}]")
        attributes = entry.get("attributes")
        where = f"{path}: annotation {entry.get('id', position + 1)}"
        if isinstance(attributes, dict):
            entry = {**entry, "attributes": _ATTRIBUTES.plain(attributes, where)}
        yield where, entry


def _is_crowd(entry: Entry, where: str) -> bool:
    """Whether one of the flags is set; among ``attributes`` others may be called like them."""
    attributes = entry.get("attributes")
    flags = [flag(entry.get(key), where, key) for key in FLAGS]
    further = attributes if isinstance(attributes, dict) else {}
    return any(flags) or any(known_flag(further.get(key)) for key in FLAGS)


def _warn_areas(doubtful: list[str], path: Path) -> None:
    if doubtful:
        _log.warning(
            "%s: %s cannot be that of an object in its box, such as %s; the box's area counts "
            "instead (areas decide what is small, medium and large)",
            *(path, counted(len(doubtful), "area"), doubtful[0]),
        )
