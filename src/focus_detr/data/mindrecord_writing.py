"""Packing a data set into MindRecord files, which ``mindrecord`` reads."""

from __future__ import annotations

import json
import shutil
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from mindspore.mindrecord import FileWriter

from focus_detr.data.annotations import Annotations
from focus_detr.data.image_io import read_bytes
from focus_detr.data.json_fields import ImageId, is_unicode
from focus_detr.data.mindrecord import ANNOTATION, DESCRIPTION, PICTURE, digest, row_text
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_folder
from focus_detr.io.user_paths import check_utf8

_NAME = "pictures.mindrecord"
_MIB = 2**20
_HEADER = 16 * _MIB  # bytes before the first page, MindSpore's default
_PAGE = 32 * _MIB  # smallest page, MindSpore's default
_LARGEST_PAGE = 256 * _MIB  # MindSpore's limit
_SPARE = 64  # bytes in a page besides a picture
_CHUNK = 32 * _MIB  # bytes of pictures in memory at a time
_SCHEMA = {ANNOTATION: {"type": "string"}, PICTURE: {"type": "bytes"}}


@dataclass(frozen=True)
class _Item:
    """What becomes a row."""

    path: Path
    size: int  # bytes
    text: str


def write_mindrecord(annotations: Annotations, folder: Path, shards: int = 1) -> None:
    """Write pictures and annotations into a new folder, whole or not at all.

    Args:
        annotations: with at least one picture; all of them are there, as files.
        folder: to make; its parents too.
        shards: number of files to spread the pictures over, 1 to 1000.

    Raises:
        FocusDetrError: a picture cannot be read, the folder exists, or cannot be written.
    """
    check_utf8(folder)
    items = _items(annotations)
    page = _page_size(items)
    with whole_folder(folder) as part:
        _check_space(items, part, folder, shards * (_HEADER + 2 * page))
        try:
            _write(items, _describe(annotations, items), part / _NAME, shards, page)
        except RuntimeError as error:  # all that MindSpore's C++ part raises
            raise FocusDetrError(f"cannot write {folder}: {_reason(error)}") from error
        mode = stat.S_IMODE(part.stat().st_mode) & 0o666  # MindSpore makes them private
        for file in part.iterdir():
            file.chmod(mode)


def _items(annotations: Annotations) -> list[_Item]:
    content = annotations.to_coco()
    boxes: dict[ImageId, list[dict[str, Any]]] = defaultdict(list)
    for entry in content["annotations"]:
        boxes[entry["image_id"]].append(entry)
    items = []
    for position, (image, entry) in enumerate(
        zip(annotations.images, content["images"], strict=True)
    ):
        if not is_unicode(image.name):
            raise FocusDetrError(f"{image.path}: a name outside UTF-8 cannot be packed; rename it")
        size = _file_size(image.path)
        items.append(_Item(image.path, size, row_text(position, size, entry, boxes[entry["id"]])))
    return items


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise FocusDetrError(f"cannot read image {path}: {error.strerror}") from error


def _page_size(items: Sequence[_Item]) -> int:
    """The smallest power of two that holds every row."""
    largest = max(items, key=lambda item: max(item.size, len(item.text)))
    needed, page = max(largest.size, len(largest.text)) + _SPARE, _PAGE
    while page < needed:
        page *= 2
    if page > _LARGEST_PAGE:
        raise FocusDetrError(
            f"{largest.path} is too large for MindRecord: {needed / _MIB:.0f} MiB, at most "
            f"{_LARGEST_PAGE // _MIB}"
        )
    return page


def _check_space(items: Sequence[_Item], part: Path, folder: Path, overhead: int) -> None:
    # MindSpore does not say that the disk is full
    if sum(item.size for item in items) + overhead > shutil.disk_usage(part).free:
        raise FocusDetrError(f"cannot write {folder}: no space left on the disk")


def _describe(annotations: Annotations, items: Sequence[_Item]) -> str:
    return json.dumps(
        {
            "kind": DESCRIPTION,
            "categories": annotations.to_coco()["categories"],
            "digest": digest(item.text for item in items),
        }
    )


def _write(items: Sequence[_Item], description: str, path: Path, shards: int, page: int) -> None:
    writer = FileWriter(str(path), shards)
    writer.set_header_size(_HEADER)
    writer.set_page_size(page)
    writer.add_schema(_SCHEMA, description)
    writer.add_index([ANNOTATION])  # so that it can be read without the pictures
    for chunk in _chunks(items):
        writer.write_raw_data([{ANNOTATION: item.text, PICTURE: _content(item)} for item in chunk])
    writer.commit()


def _chunks(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """Runs of items that together are not much larger than ``_CHUNK``."""
    ends = np.cumsum([item.size for item in items]) // _CHUNK  # [n], number of each one's chunk
    for _, chunk in groupby(zip(ends, items, strict=True), key=itemgetter(0)):
        yield [item for _, item in chunk]


def _content(item: _Item) -> bytes:
    content = read_bytes(item.path)
    if len(content) != item.size:
        raise FocusDetrError(f"image {item.path} changed while it was packed")
    return content


def _reason(error: RuntimeError) -> str:
    """MindSpore's own sentence among the lines around it."""
    lines = [line.partition("[ERROR]") for line in str(error).splitlines()]
    return next((after.strip() for _, mark, after in lines if mark), str(error).strip())
