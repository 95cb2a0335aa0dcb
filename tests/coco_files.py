"""Tiny COCO data sets for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
MakeCoco = Callable[..., Path]


def annotation(number: int, image: int, bbox: Sequence[float], **more: Any) -> dict[str, Any]:
    """An annotation of class 'cat' unless told otherwise."""
    return {"id": number, "image_id": image, "category_id": 3, "bbox": list(bbox), **more}


def write_coco(
    folder: Path, sizes: Sequence[tuple[int, int]], annotations: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write noise images of the given (height, width) with ids 1, 2, ... and their json."""
    images = []
    for number, (height, width) in enumerate(sizes, start=1):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3))
        cv2.imwrite(str(folder / f"{number}.png"), pixels.astype(np.uint8))
        entry = {"id": number, "file_name": f"{number}.png", "height": height, "width": width}
        images.append(entry)
    content = {"images": images, "annotations": list(annotations), "categories": CATEGORIES}
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path
