"""Finding pictures and reading their sizes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focus_detr.data.image_io import read_image
from focus_detr.data.picture_files import find_pictures, read_size
from focus_detr.errors import FocusDetrError

ORIENTATION = 0x0112
TURN_RIGHT = 6


def png_header(width: int, height: int) -> bytes:
    """A PNG file with too few pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_pictures_of_all_subfolders(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.txt", "in/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_pictures(tmp_path) == ["b.JPG", "in/c.png"]
    (tmp_path / "in" / "again").symlink_to(tmp_path)
    assert find_pictures(tmp_path) == ["b.JPG", "in/c.png"]
    with pytest.raises(FocusDetrError, match="gone does not exist"):
        find_pictures(tmp_path / "gone")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("turned", [False, True])
def test_sizes_are_those_of_the_decoded_picture(tmp_path: Path, kind: str, turned: bool) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    exif = Image.Exif()
    if turned:
        exif[ORIENTATION] = TURN_RIGHT
    more = {} if kind == "BMP" else {"exif": exif}
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path, kind, **more)
    assert read_size(path) == read_image(path).shape[:2]


def test_huge_pictures_have_a_size_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(70000, 60000))
    limit = Image.MAX_IMAGE_PIXELS
    assert read_size(tmp_path / "a.png") == (60000, 70000)
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(FocusDetrError, match=r"a\.png: it has more pixels than OpenCV reads"):
        read_image(tmp_path / "a.png")


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(FocusDetrError, match=r"a\.png: it is broken or no image"):
        read_size(tmp_path / "a.png")
    with pytest.raises(FocusDetrError, match=r"no file .*b\.png"):
        read_size(tmp_path / "b.png")
