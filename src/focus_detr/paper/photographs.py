"""Photographs to draw on, and those of a data set with their boxes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from focus_detr.data.buckets import Size
from focus_detr.data.dataset import DetectionDataset, ImageRecord
from focus_detr.data.formats import read_annotations
from focus_detr.data.image_io import decode_image, read_bytes
from focus_detr.data.picture_files import read_size
from focus_detr.errors import FocusDetrError
from focus_detr.inference.inputs import collect_images
from focus_detr.inference.preparation import check_sides, read_picture

_log = logging.getLogger(__name__)
Read = TypeVar("Read")


@dataclass(frozen=True)
class Photograph:
    """One picture; without a data set it has no boxes."""

    name: str
    pixels: np.ndarray  # [H, W, 3] uint8 RGB
    boxes: np.ndarray  # [T, 4] float32, x1 y1 x2 y2 in pixels

    @property
    def areas(self) -> np.ndarray:
        """Of the boxes, square pixels: [T]."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return sides[:, 0] * sides[:, 1]

    def boxes_at(self, height: int, width: int) -> np.ndarray:
        """The boxes [T, 4] after resizing the picture to this many pixels."""
        rows, columns = self.pixels.shape[:2]
        return self.boxes * np.array([width / columns, height / rows] * 2, np.float32)


@dataclass(frozen=True)
class PictureFile:
    """A picture of which only the size is kept."""

    path: Path
    size: Size  # (height, width) in pixels

    def read(self) -> np.ndarray:
        """[H, W, 3] uint8 RGB; errors as for ``read_picture``."""
        return read_picture(self.path)


def photographs(paths: Sequence[Path], out: Path) -> Iterator[Photograph]:
    """Read the pictures of files and folders in turn; broken ones in folders are left out.

    Raises:
        FocusDetrError: a path does not exist, a picture given by name is broken or too small, or
            none can be read.
    """
    for path, pixels in _readable(paths, out, read_picture):
        yield Photograph(path.name, pixels, np.zeros((0, 4), np.float32))


def picture_files(
    paths: Sequence[Path], out: Path, limit: int, *, whole: bool
) -> list[PictureFile]:
    """The first pictures of files and folders, of which the sizes alone are kept.

    Errors are those of ``photographs``.

    Args:
        paths: files and folders.
        out: output folder, which is not searched.
        limit: how many.
        whole: decode each once, so that those that are broken behind their header are found now.
    """
    read = _decoded_size if whole else _stated_size
    found = islice(_readable(paths, out, read), limit)
    return [PictureFile(path, size) for path, size in found]


def _decoded_size(path: Path) -> Size:
    height, width = read_picture(path).shape[:2]
    return height, width


def _stated_size(path: Path) -> Size:
    size = read_size(path)
    try:
        check_sides(*size)
    except FocusDetrError as error:
        raise FocusDetrError(f"{path}: {error}") from error
    return size


def _readable(
    paths: Sequence[Path], out: Path, read: Callable[[Path], Read]
) -> Iterator[tuple[Path, Read]]:
    """Each picture with what is read of it; broken ones in folders are left out, with a warning."""
    none = True
    for item in collect_images(paths, out):
        try:
            found = read(item.path)
        except FocusDetrError as error:
            if item.named:
                raise
            _log.warning("skipped: %s", error)
            continue
        none = False
        yield item.path, found
    if none:
        raise FocusDetrError(f"no picture can be read in {', '.join(map(str, paths))}")


def read_data_set(annotations: Path, images: Path | None, limit: int | None) -> list[ImageRecord]:
    """The first images of a data set, in the order of its file.

    Args:
        annotations: file or folder of any format that training reads.
        images: their folder; None: where the format has it.
        limit: how many; None: all.

    Raises:
        FocusDetrError: the data is bad, or none of these images has a box.
    """
    read = read_annotations(annotations, images, split="val")
    dataset = DetectionDataset.from_annotations(read, skip_broken=True)
    records = list(dataset.records[:limit])
    if not any(len(record.boxes) for record in records):
        raise FocusDetrError(
            f"none of the first {len(records)} images of {annotations} has a box: "
            "labels and shares of boxes need some"
        )
    return records


def opened(records: Sequence[ImageRecord]) -> Iterator[Photograph]:
    """Read the pictures of a data set one after the other; broken ones are left out.

    Raises:
        FocusDetrError: none can be read.
    """
    none = True
    for record in records:
        try:
            stored = record.stored
            content = stored.read() if stored else read_bytes(record.path)
            pixels = decode_image(content, record.path, (record.height, record.width))
        except FocusDetrError as error:
            _log.warning("skipped: %s", error)
            continue
        none = False
        yield Photograph(record.path.name, pixels, record.boxes)
    if none:
        raise FocusDetrError("no picture of the data set can be read")
