"""Pictures that the page offers for a first try."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from focus_detr.data.visible_files import visible_files
from focus_detr.errors import FocusDetrError
from focus_detr.inference.preparation import read_picture

MOST_SAMPLES = 24

_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}  # what browsers show
_THUMBNAIL_SIDE = 240  # pixels of the longest side

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """One picture on offer; clients name it by its number in the list, never by a path."""

    path: Path
    media_type: str
    thumbnail: bytes  # JPEG


def load_samples(folder: Path | None) -> tuple[Sample, ...]:
    """The first pictures of a folder, by name; what cannot be shown is left out with a warning.

    Args:
        folder: its subfolders are not searched; None: no pictures.

    Raises:
        FocusDetrError: there is no such folder, or no picture in it.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        raise FocusDetrError(f"--pictures {folder} is no folder")
    paths = visible_files(folder, _MEDIA_TYPES)
    samples = [sample for path in paths[:MOST_SAMPLES] if (sample := _load(path))]
    if not samples:
        raise FocusDetrError(
            f"folder {folder} has no picture to offer ({', '.join(sorted(_MEDIA_TYPES))})"
        )
    return tuple(samples)


def _load(path: Path) -> Sample | None:
    try:
        thumbnail = _thumbnail(read_picture(path))
    except FocusDetrError as error:
        _log.warning("not offered: %s", error)
        return None
    return Sample(path, _MEDIA_TYPES[path.suffix.lower()], thumbnail)


def _thumbnail(image: np.ndarray) -> bytes:
    """JPEG of the picture ([H, W, 3] uint8 RGB) made small."""
    height, width = image.shape[:2]
    scale = min(1.0, _THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
