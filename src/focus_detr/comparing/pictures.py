"""What a file and its checkpoint are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from focus_detr.data.picture_files import find_pictures
from focus_detr.errors import FocusDetrError
from focus_detr.inference.preparation import read_picture

_DRAWN_SIZES = ((480, 640), (640, 427), (90, 120))  # lying, standing, to be enlarged
_SHAPES = 12  # in a drawn picture


def comparison_pictures(paths: Sequence[Path]) -> list[np.ndarray]:
    """The photographs at these paths, or drawn pictures if there are none: [H, W, 3] uint8 RGB.

    Raises:
        FocusDetrError: a path does not exist, or is no picture or too small a one.
    """
    if not paths:
        return [draw_picture(height, width, seed=height) for height, width in _DRAWN_SIZES]
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise FocusDetrError(f"no pictures in {', '.join(map(str, paths))}")
    return [read_picture(file) for file in files]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [path / name for name in find_pictures(path)]


def draw_picture(height: int, width: int, seed: int) -> np.ndarray:
    """Boxes and ellipses on a gradient, under noise: [H, W, 3] uint8."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(30, 225, (2, 2, 3)).astype(np.float32)
    picture = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(_SHAPES):
        x, y = (int(rng.integers(side)) for side in (width, height))
        half = tuple(int(rng.integers(4, max(side // 4, 6))) for side in (width, height))
        colour = tuple(float(value) for value in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + half[0], y + half[1]), colour, -1)
        else:
            cv2.ellipse(picture, (x, y), half, float(rng.integers(180)), 0, 360, colour, -1)
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
