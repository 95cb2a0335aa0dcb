"""A made data set whose pictures cost as much to load as photographs of the same size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from focus_detr.io.files import write_json, write_whole

SIZE = (480, 640)  # (height, width), the most frequent one in COCO
_BOXES = 7  # COCO has 7.3 in a picture
_QUALITY = 90
_GRAIN = 9.0  # grey levels; gives files of about 150 kB, as COCO's are


def write_pictures(folder: Path, count: int) -> Path:
    """Write ``count`` JPEG files and their annotations.

    Returns:
        The COCO json file, beside the pictures.
    """
    random = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, count + 1):
        name = f"{number:06d}.jpg"
        content = cv2.imencode(".jpg", _picture(random), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        write_whole(folder / name, content.tobytes())
        images.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        for box in _boxes(random):
            identity = len(annotations) + 1
            entry = {"id": identity, "image_id": number, "category_id": 1, "bbox": box}
            annotations.append(entry)
    content = {"images": images, "annotations": annotations}
    path = folder / "instances.json"
    write_json(path, content | {"categories": [{"id": 1, "name": "thing"}]})
    return path


def _picture(random: np.random.Generator) -> np.ndarray:
    """[H, W, 3] uint8: large and small patches of colour with grain."""
    picture = random.normal(0, _GRAIN, (*SIZE, 3))
    for cells in (4, 24, 96):
        patches = random.uniform(0, 85, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(patches, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _boxes(random: np.random.Generator) -> list[list[float]]:
    """x, y, width, height of boxes inside the picture, pixels."""
    height, width = SIZE
    sides = random.uniform(0.05, 0.5, (_BOXES, 2)) * (width, height)
    corners = random.random((_BOXES, 2)) * ((width, height) - sides)
    return np.concatenate((corners, sides), axis=1).round(2).tolist()
