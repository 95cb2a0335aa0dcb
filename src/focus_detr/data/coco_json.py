"""Reading COCO detection files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from focus_detr.checks import is_finite_number, is_unicode
from focus_detr.data.annotations import MAX_SIDE, Annotations, BoxEntry, ImageEntry
from focus_detr.data.classes import ClassMap
from focus_detr.data.named_files import find_all
from focus_detr.errors import FocusDetrError

Entry = dict[str, Any]


def read_coco(path: Path, image_dir: Path, classes: ClassMap | None = None) -> Annotations:
    """Read a COCO json file with images, annotations and categories.

    Args:
        path: the file.
        image_dir: folder that its file names are relative to.
        classes: class map of the model; a category id that both know must mean the same class.

    Raises:
        FocusDetrError: the file is missing, is not COCO, contradicts itself or does not fit
            ``classes``.
    """
    return annotations_from_coco(_load_json(path), path, image_dir, classes)


def annotations_from_coco(
    content: Entry,
    path: Path,
    image_dir: Path,
    classes: ClassMap | None = None,
    *,
    look: bool = True,
) -> Annotations:
    """The same for what such a file holds; ``path`` names it in messages.

    ``look`` is to find the pictures' files, see ``find_all``; otherwise names are paths.

    Raises:
        FocusDetrError: it contradicts itself or does not fit ``classes``.
    """
    images = _by_id(content, "images", path)
    categories = _by_id(content, "categories", path)
    found = _class_map(categories, path)
    if classes is not None:
        _check_same_names(classes, found, path)
    usable = set((classes or found).category_ids)
    boxes = []
    for number, entry in _by_id(content, "annotations", path).items():
        where = f"{path}: annotation {number}"
        category = _field(entry, "category_id", int, where)
        if category not in usable:
            known = "one of the model's classes" if category in categories else "in 'categories'"
            raise FocusDetrError(f"{where}: category {category} is not {known}")
        image_id = _field(entry, "image_id", int, where)
        if image_id not in images:
            raise FocusDetrError(f"{where}: image {image_id} is not in 'images'")
        boxes.append(_box(entry, image_id, category, where))
    names = [_text(entry, "file_name", f"{path}: image {key}") for key, entry in images.items()]
    files = find_all((image_dir,), names, path) if look else [image_dir / name for name in names]
    pictures = tuple(
        _image(entry, file, path) for entry, file in zip(images.values(), files, strict=True)
    )
    return Annotations(path, pictures, tuple(boxes), found)


def _load_json(path: Path) -> Entry:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise FocusDetrError(f"cannot read annotation file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
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


def _text(entry: Entry, key: str, where: str) -> str:
    value: str = _field(entry, key, str, where)
    if not is_unicode(value):
        raise FocusDetrError(f"{where}: '{key}' {value!r} is not Unicode text")
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
    return ClassMap(tuple(_text(categories[i], "name", f"{path}: category {i}") for i in ids), ids)


def _check_same_names(expected: ClassMap, found: ClassMap, path: Path) -> None:
    """A category id that both know must mean the same class."""
    names = dict(zip(expected.category_ids, expected.names, strict=True))
    for category, name in zip(found.category_ids, found.names, strict=True):
        if names.get(category, name) != name:
            raise FocusDetrError(
                f"{path}: category {category} is '{name}' where the model's classes have "
                f"'{names[category]}'"
            )


def _box(entry: Entry, image_id: int, category: int, where: str) -> BoxEntry:
    values = _field(entry, "bbox", list, where)
    if len(values) != 4 or not all(is_finite_number(value) for value in values):
        raise FocusDetrError(f"{where}: 'bbox' must be four finite numbers, not {values!r}")
    x, y, width, height = map(float, values)
    area = entry.get("area")
    if area is None:
        area = width * height
    elif not is_finite_number(area):
        raise FocusDetrError(f"{where}: 'area' must be a finite number, not {area!r}")
    crowd = bool(entry.get("iscrowd"))
    return BoxEntry(image_id, category, (x, y, width, height), float(area), crowd)


def _image(entry: Entry, file: Path, path: Path) -> ImageEntry:
    where = f"{path}: image {entry['id']}"
    height, width = (_field(entry, key, int, where) for key in ("height", "width"))
    if entry["id"] < 0:  # -1 marks a place in a batch that is left free
        raise FocusDetrError(f"{where}: 'id' must not be negative")
    if height < 1 or width < 1:
        raise FocusDetrError(f"{where}: 'height' and 'width' must be positive")
    if max(height, width) > MAX_SIDE:
        raise FocusDetrError(f"{where}: 'height' and 'width' must be at most {MAX_SIDE}")
    return ImageEntry(entry["id"], entry["file_name"], file, height, width)
