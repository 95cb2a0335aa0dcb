"""Which picture files there are, and their sizes without decoding them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from focus_detr.data.annotations import ImageEntry
from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.errors import FocusDetrError

_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112  # EXIF and TIFF tags
_TURNED = range(5, 9)  # its values that exchange rows and columns
_limit_lock = threading.Lock()


def find_pictures(folder: Path) -> list[str]:
    """Paths of all pictures below a folder, relative to it with forward slashes, sorted.

    Raises:
        FocusDetrError: there is no such folder.
    """
    if not is_folder(folder):
        raise FocusDetrError(f"image folder {folder} does not exist")
    found = []
    visited: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:  # links may lead round in a circle
            folders.clear()
            continue
        visited.add(real)
        inner = Path(place).relative_to(folder)
        found += [
            (inner / name).as_posix()
            for name in names
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False for names that cannot be any."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether it is a file; False for names that cannot be any."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def without_file(images: Iterable[ImageEntry]) -> list[ImageEntry]:
    """The images that should have a file and have none.

    Each folder is listed once: a look at every file would take minutes on a network disk.
    """
    names: dict[str, set[str]] = {}
    missing = []
    for image in images:
        if image.stored is not None:
            continue
        folder, name = os.path.split(image.path)
        if folder not in names:
            names[folder] = _file_names(folder)
        if name not in names[folder]:
            missing.append(image)
    return missing


def _file_names(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except (OSError, ValueError):  # a folder that is not there, or with an impossible name
        return set()


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as ``read_image`` turns it, from its header alone.

    Raises:
        FocusDetrError: the file is missing or no picture.
    """
    try:
        with _any_size(), Image.open(path) as image:
            height, width = _stored_size(image)
            turned = _is_turned(image)
    except UnidentifiedImageError as error:
        raise FocusDetrError(f"cannot read image {path}: it is broken or no image") from error
    except FileNotFoundError as error:
        raise FocusDetrError(f"no file {path}") from error
    except Exception as error:  # Pillow's readers raise whatever a broken header leads them to
        raise FocusDetrError(f"cannot read image {path}: {error}") from error
    return (width, height) if turned else (height, width)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) of the pixels; some versions of Pillow turn the size of a TIFF file."""
    tags = image.getexif() if image.format == "TIFF" else {}
    return tags.get(_HEIGHT, image.height), tags.get(_WIDTH, image.width)


def _is_turned(image: Image.Image) -> bool:
    """Whether OpenCV exchanges rows and columns, which it never does with WebP."""
    # asked for tags it has not seen yet, Pillow would decode a whole PNG
    unseen = image.format == "PNG" and "exif" not in image.info
    if image.format == "WEBP" or unseen:
        return False
    return image.getexif().get(_ORIENTATION) in _TURNED


@contextmanager
def _any_size() -> Iterator[None]:
    """Without Pillow's limit, which guards against decoding: nothing is decoded here."""
    with _limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
