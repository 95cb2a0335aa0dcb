"""Pictures as Python programs have them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageFile, ImageOps

from focus_detr.data.orientation import ORIENTATION, in_exif
from focus_detr.errors import FocusDetrError
from focus_detr.inference.preparation import check_image, read_picture
from focus_detr.io.user_paths import user_path

Picture: TypeAlias = str | os.PathLike[str] | np.ndarray | Image.Image

_UPPER_BYTE = 8  # bits to shift from 16
_NOT_FOLLOWED = ("XML:com.adobe.xmp", "xmp", "Raw profile type exif")
_UNFIT = ("I", "F")  # modes whose white is not known


@dataclass(frozen=True)
class PictureSource:
    """Where a picture comes from; one that lies in a file is read when it is needed."""

    given: Picture
    place: int | None = None  # among several, from 0

    @classmethod
    def of(cls, given: Any, place: int | None = None) -> PictureSource:
        """Take what a program gives.

        Raises:
            FocusDetrError: it is nothing that holds a picture.
        """
        if not is_picture(given):
            raise FocusDetrError(
                f"a picture is a path, an array or an image of Pillow, not {type(given).__name__}"
            )
        return cls(given, place)

    @property
    def name(self) -> str:
        """What messages call it."""
        if isinstance(self.given, np.ndarray | Image.Image):
            return "the picture" if self.place is None else f"pictures[{self.place}]"
        return os.fspath(self.given)

    def read(self) -> np.ndarray:
        """Its pixels, [H, W, 3] uint8 RGB, in the orientation that a camera noted.

        Raises:
            FocusDetrError: the file is missing or broken, the picture is too small, or the array
                is no such one.
        """
        if not isinstance(self.given, np.ndarray | Image.Image):
            return _from_file(user_path(self.given))
        try:
            given = self.given
            image = given if isinstance(given, np.ndarray) else _from_pillow(given)
            check_image(image)
        except FocusDetrError as error:
            raise FocusDetrError(f"{self.name}: {error}") from error
        return np.ascontiguousarray(image)


def is_picture(given: Any) -> bool:
    """Whether it is one picture, not several."""
    if isinstance(given, np.ndarray):
        return given.ndim < 4
    return isinstance(given, str | os.PathLike | Image.Image)


def _from_file(path: Path) -> np.ndarray:
    if path.is_dir():
        raise FocusDetrError(f"{path} is a folder: give a list of its pictures")
    return read_picture(path)


def _load(image: Image.Image) -> None:
    """Read a file that Pillow has only opened so far.

    Pillow (12.3) maps plain TIFF files into memory by the sides that are shown, which scrambles
    those to be turned a quarter; files without a name are not mapped.
    """
    if isinstance(image, ImageFile.ImageFile) and image.format == "TIFF":
        name, image.filename = image.filename, ""
        try:
            image.load()
        finally:
            image.filename = name


@contextmanager
def _only_exif(image: Image.Image) -> Iterator[None]:
    """Hide other notes of the orientation, which Pillow follows and readers of files do not."""
    hidden = {key: image.info.pop(key) for key in _NOT_FOLLOWED if key in image.info}
    if hidden and image.format != "TIFF" and in_exif(image.info.get("exif", b"")) is None:
        image.getexif().pop(ORIENTATION, None)  # taken from the others when the file was opened
    try:
        yield
    finally:
        image.info.update(hidden)


def _from_pillow(image: Image.Image) -> np.ndarray:
    try:
        with _only_exif(image):
            _load(image)
        with _only_exif(image):  # a PNG may have more behind its pixels
            upright = ImageOps.exif_transpose(image)
    except Exception as error:  # it is read only now; Pillow raises what a broken file leads it to
        raise FocusDetrError(f"the image of Pillow cannot be read: {error}") from error
    if upright.mode.startswith("I;16"):
        grey = (np.asarray(upright, np.uint16) >> _UPPER_BYTE).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if upright.mode in _UNFIT:
        raise FocusDetrError(
            f"an image of Pillow with mode {upright.mode} does not say what is white: convert it "
            "to RGB"
        )
    return np.asarray(upright.convert("RGB"))
