"""Photographs to draw on, and those of a data set with their boxes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from focus_detr.data.dataset import DetectionDataset, ImageRecord
from focus_detr.data.formats import read_annotations
from focus_detr.data.image_io import decode_image, read_bytes
from focus_detr.errors import FocusDetrError
from focus_detr.inference.inputs import ImageInput, collect_images
from focus_detr.inference.preparation import read_picture

_log = logging.getLogger(__name__)


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


def photographs(paths: Sequence[Path], out: Path) -> Iterator[Photograph]:
    """Read the pictures of files and folders in turn; broken ones in folders are left out.

    Raises:
        FocusDetrError: a path does not exist, a picture given by name is broken or too small, or
            none can be read.
    """
    none = True
    for photograph in filter(None, map(_read, collect_images(paths, out))):
        none = False
        yield photograph
    if none:
        raise FocusDetrError(f"no picture can be read in {', '.join(map(str, paths))}")


def read_photographs(paths: Sequence[Path], out: Path, limit: int) -> list[Photograph]:
    """The first ones of ``photographs``, at once."""
    return list(islice(photographs(paths, out), limit))


def _read(item: ImageInput) -> Photograph | None:
    try:
        pixels = read_picture(item.path)
    except FocusDetrError as error:
        if item.named:
            raise
        _log.warning("skipped: %s", error)
        return None
    return Photograph(item.path.name, pixels, np.zeros((0, 4), np.float32))


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
