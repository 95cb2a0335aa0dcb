"""Which picture files there are, and their sizes without decoding them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from focus_detr.data.annotations import ImageEntry
from focus_detr.data.orientation import any_size, exchanges_sides, orientation_of
from focus_detr.data.picture_kinds import unread_reason
from focus_detr.data.strays import LIKE_PICTURES, is_read, tell_strays
from focus_detr.data.visible_files import files_below, list_folder
from focus_detr.errors import FocusDetrError

_WIDTH, _HEIGHT = 0x0100, 0x0101  # TIFF tags
_HEAD = 1000  # bytes, which tell what else a file is


def find_pictures(folder: Path) -> list[str]:
    """Paths of all pictures below a folder, relative to it with forward slashes, sorted.

    Hidden ones and those of systems are left out, see ``files_below``; other files that people may
    take for pictures are counted in a warning.

    Raises:
        FocusDetrError: there is no such folder.
    """
    if not is_folder(folder):
        raise FocusDetrError(f"image folder {folder} does not exist")
    names = files_below(folder, LIKE_PICTURES)
    tell_strays([folder / name for name in names if not is_read(name)])
    return [name for name in names if is_read(name)]


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
    return {name for name, is_folder in list_folder(folder) if not is_folder}


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as ``read_image`` turns it, from its header alone.

    Raises:
        FocusDetrError: the file is missing or no picture.
    """
    try:
        with path.open("rb") as file, any_size(), Image.open(file) as image:
            height, width = _stored_size(image)
            turned = exchanges_sides(orientation_of(image, file))
    except UnidentifiedImageError as error:
        reason = unread_reason(_head(path))
        raise FocusDetrError(f"cannot read image {path}: {reason}") from error
    except FileNotFoundError as error:
        raise FocusDetrError(f"no file {path}") from error
    except Exception as error:  # Pillow's readers raise whatever a broken header leads them to
        raise FocusDetrError(f"cannot read image {path}: {error}") from error
    return (width, height) if turned else (height, width)


def _head(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(_HEAD)
    return b""


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) of the pixels; some versions of Pillow turn the size of a TIFF file."""
    tags = image.getexif() if image.format == "TIFF" else {}
    return tags.get(_HEIGHT, image.height), tags.get(_WIDTH, image.width)
