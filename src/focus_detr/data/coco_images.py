"""The pictures that a COCO file lists."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from focus_detr.data.annotations import MAX_SIDE, ImageEntry
from focus_detr.data.json_fields import (
    Entry,
    ImageId,
    finite_number,
    read_entry,
    read_image_id,
    read_text,
)
from focus_detr.data.key_styles import KeyStyles
from focus_detr.data.named_files import find_all
from focus_detr.data.picture_files import read_size
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_UNKNOWN = (0, 0)
_PARTLY = "neg_category_ids"  # LVIS: the classes that a picture was searched for in vain
_STYLES = KeyStyles(
    ("id", "file_name", "coco_url", "height", "width"),
    {"image_height": "height", "image_width": "width"},
)


def read_images(
    entries: list[Any], path: Path, folder: Path, *, look: bool, pictures: bool
) -> tuple[ImageEntry, ...]:
    """Read the list ``images``.

    A size that is missing, null or zero is the picture's own; it stays 0 x 0 if the picture cannot
    be read. An entry that is repeated word for word counts once.

    Args:
        entries: what the list holds.
        path: of the COCO file.
        folder: of the pictures.
        look: find the pictures' files, see ``find_all``; otherwise names are paths.
        pictures: whether they will be opened; otherwise their names and sizes may be missing.

    Raises:
        FocusDetrError: an entry is malformed, or two entries contradict each other.
    """
    by_id = _by_id(entries, path)
    wheres = {number: f"{path}: image {number}" for number in by_id}
    names = [_name(entry, wheres[number], pictures) for number, entry in by_id.items()]
    sizes = [_stated_size(entry, wheres[number]) for number, entry in by_id.items()]
    if look and (pictures or _UNKNOWN in sizes):
        files = find_all((folder,), names, path)
    else:
        files = [folder / name for name in names]
    read = []
    for number, name, file, size in zip(by_id, names, files, sizes, strict=True):
        known = size if size != _UNKNOWN or not name else _own_size(file)
        read.append(ImageEntry(number, name, file, *known))
    return tuple(read)


def _by_id(entries: list[Any], path: Path) -> dict[ImageId, Entry]:
    found: dict[ImageId, Entry] = {}
    repeated = 0
    for position, written in enumerate(entries):
        where = f"{path}: images[{position}]"
        entry = read_entry(written, _STYLES, where)
        number = read_image_id(entry, "id", where)
        first = found.setdefault(number, entry)
        if first is not entry:
            if first != entry:
                raise FocusDetrError(f"{path}: 'images' has two entries with id {number}")
            repeated += 1
    if repeated:
        _log.warning(
            "%s: %s listed again word for word; each counts once", path, counted(repeated, "image")
        )
    if partly := sum(_PARTLY in entry for entry in found.values()):
        _log.warning(
            "%s: %s searched for some classes only, as LVIS has it ('%s'); objects of the others "
            "are learnt as background, and detections of them count as wrong",
            *(path, counted(partly, "image"), _PARTLY),
        )
    return found


def _name(entry: Entry, where: str, needed: bool) -> str:
    """``file_name``; LVIS has only addresses, whose end is the name."""
    key = "coco_url" if entry.get("file_name") is None and "coco_url" in entry else "file_name"
    return read_text(entry, key, where) if needed or key in entry else ""


def _stated_size(entry: Entry, where: str) -> tuple[int, int]:
    """(height, width); zeros where one of them is missing, null or zero."""
    height, width = (_side(entry, key, where) for key in ("height", "width"))
    if height < 0 or width < 0:
        raise FocusDetrError(f"{where}: 'height' and 'width' must not be negative")
    if max(height, width) > MAX_SIDE:
        raise FocusDetrError(f"{where}: 'height' and 'width' must be at most {MAX_SIDE}")
    return (height, width) if height and width else _UNKNOWN


def _side(entry: Entry, key: str, where: str) -> int:
    value = entry.get(key)
    side = 0 if value is None else finite_number(value)
    if side is None or side != int(side):
        raise FocusDetrError(f"{where}: '{key}' must be an integer, not {value!r}")
    return int(side)


def _own_size(file: Path) -> tuple[int, int]:
    try:
        return read_size(file)
    except FocusDetrError:
        return _UNKNOWN  # whoever needs the picture will say what is wrong with it
