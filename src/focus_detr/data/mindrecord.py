"""Reading a data set that ``scripts/pack_mindrecord.py`` packed into MindRecord files.

A MindRecord file is a header in JSON and pages of equal size; SQLite files beside it say where in
the pages each row lies. MindSpore reads rows in one order only; the loader wants them in any order
and in threads, and at the start only what is small. So this reads the files itself.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from focus_detr.data.annotations import Annotations
from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_json import annotations_from_coco
from focus_detr.data.picture_files import is_folder
from focus_detr.data.stored import Shard, StoredBytes
from focus_detr.data.visible_files import is_hidden
from focus_detr.errors import FocusDetrError

ANNOTATION, PICTURE = "annotation", "picture"  # the fields of a row
DESCRIPTION = "Focus-DETR data set"
_ENDING = ".mindrecord"
_INDEX_ENDING = ".db"
_PREFIX = 8  # bytes: the length of a number before a header and before each picture
_LONGEST_HEADER = 2**28  # bytes; MindSpore's limit is 2^27
_QUERY = "SELECT PAGE_ID_BLOB, PAGE_OFFSET_BLOB, PAGE_OFFSET_BLOB_END, annotation_0 FROM INDEXES"


@dataclass(frozen=True)
class _Header:
    """What the start of a file says."""

    files: tuple[str, ...]  # names of all files of the set
    first_page: int  # bytes before it
    page_size: int
    description: dict[str, Any]  # what the packing program wrote about the set


@dataclass(frozen=True)
class _Row:
    """One picture."""

    text: str  # JSON, see ``row_text``
    content: dict[str, Any]
    stored: StoredBytes


def row_text(position: int, size: int, image: dict[str, Any], boxes: list[dict[str, Any]]) -> str:
    """The text of a row.

    Args:
        position: of the picture in the set.
        size: of its file, bytes.
        image: its entry in COCO's list.
        boxes: its annotations in COCO's form.
    """
    row = {"position": position, "bytes": size, "image": image, "annotations": boxes}
    return json.dumps(row)


def digest(texts: Iterable[str]) -> str:
    """Tells whether rows are those that belong together, in their order."""
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode() + b"\n")
    return total.hexdigest()


def packed_files(path: Path) -> list[Path]:
    """The MindRecord files that a path points to, without their indices; empty if there are none.

    A file stands for itself, a folder for those in it.
    """
    found = sorted(path.glob(f"*{_ENDING}*")) if is_folder(path) else [path]
    found = [file for file in found if file == path or not is_hidden(file.name)]
    return [file for file in found if _ENDING in file.name and file.suffix != _INDEX_ENDING]


def read_mindrecord(source: Path, classes: ClassMap | None = None) -> Annotations:
    """Read a packed data set; its pictures stay where they are until they are wanted.

    Args:
        source: a folder with the files of one set, or one of these files.
        classes: class map of the model; as for COCO json.

    Raises:
        FocusDetrError: a file is missing, broken or cut off, is no data set, or does not fit
            ``classes``.
    """
    files = _all_files(source)
    rows = [row for file in files for row in _rows(file)]
    description = _one_description(files)
    rows.sort(key=lambda row: row.content["position"])
    if digest(row.text for row in rows) != description["digest"]:
        raise FocusDetrError(f"the MindRecord files of {source} are broken or of different sets")
    content = {
        "images": [row.content["image"] for row in rows],
        "annotations": [entry for row in rows for entry in row.content["annotations"]],
        "categories": description["categories"],
    }
    read = annotations_from_coco(content, source, files[0].parent, classes, look=False)
    images = (
        replace(image, stored=row.stored) for image, row in zip(read.images, rows, strict=True)
    )
    return replace(read, images=tuple(images))


def _all_files(source: Path) -> list[Path]:
    """All files of the set that the source belongs to."""
    given = packed_files(source)
    folder = given[0].parent
    files = [folder / name for name in _read_header(given[0]).files]
    for file in files:
        for needed in (file, _index_of(file)):
            if not needed.is_file():
                raise FocusDetrError(f"{source} is not complete: {needed} is missing")
    if not set(given) <= set(files):
        raise FocusDetrError(f"{source} holds several packed sets; name a file of one")
    return files


def _index_of(file: Path) -> Path:
    return file.with_name(file.name + _INDEX_ENDING)


def _read_header(file: Path) -> _Header:
    shard = Shard(file)
    length = int.from_bytes(shard.read(0, _PREFIX), "little")
    try:
        header = json.loads(shard.read(_PREFIX, min(length, _LONGEST_HEADER)))
        names = tuple(Path(name).name for name in header["shard_addresses"])
        text, sizes = header["schema"][0]["desc"], (header["header_size"], header["page_size"])
        first_page, page_size = map(int, sizes)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise FocusDetrError(f"{file} is broken or no MindRecord file") from error
    return _Header(names, first_page, page_size, _description(text, file))


def _description(text: object, file: Path) -> dict[str, Any]:
    try:
        content = json.loads(str(text))
    except (ValueError, RecursionError):
        content = None
    is_ours = isinstance(content, dict) and content.get("kind") == DESCRIPTION
    if not is_ours or not content.keys() >= {"categories", "digest"}:
        raise FocusDetrError(
            f"{file} is a MindRecord file, but not one that scripts/pack_mindrecord.py wrote"
        )
    return content


def _one_description(files: Sequence[Path]) -> dict[str, Any]:
    """What all files of a set say about it alike."""
    first, *others = (_read_header(file).description for file in files)
    for file, other in zip(files[1:], others, strict=True):
        if other != first:
            raise FocusDetrError(f"{file} belongs to another packed set than {files[0]}")
    return first


def _rows(file: Path) -> list[_Row]:
    """The rows of one file.

    Raises:
        FocusDetrError: the index is broken, or the file is too short for it.
    """
    header, shard, index = _read_header(file), Shard(file), _index_of(file)
    rows = []
    for page, start, end, text in _read_index(index):
        content = _row_content(text)
        try:
            offset = header.first_page + page * header.page_size + start + _PREFIX
            length = end - start - _PREFIX
        except TypeError as error:
            raise FocusDetrError(f"{index} is broken") from error
        if content is None or length != content["bytes"]:
            raise FocusDetrError(f"{index} is broken")
        if offset + length > shard.size:
            raise FocusDetrError(f"{file} is cut off: its index names bytes beyond its end")
        rows.append(_Row(text, content, StoredBytes(shard, offset, length)))
    return rows


def _row_content(text: object) -> dict[str, Any] | None:
    """What ``row_text`` was given; None if it is not of that form."""
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    kinds = {"position": int, "bytes": int, "image": dict, "annotations": list}
    if isinstance(content, dict) and all(
        isinstance(content.get(key), kind) for key, kind in kinds.items()
    ):
        return content
    return None


def _read_index(index: Path) -> list[tuple[Any, ...]]:
    # as an unchanging file: SQLite's locks do not work on all network disks
    address = f"{index.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return connection.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        raise FocusDetrError(f"{index} is broken: {error}") from error
