"""Photographs that lie on their side in the file are seen upright, in every format."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from focus_detr.data.image_io import read_image
from focus_detr.data.orientation import turn, turn_back
from focus_detr.data.picture_files import read_size
from focus_detr.errors import FocusDetrError

KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF"}
ALL = range(1, 9)


@pytest.fixture
def picture() -> np.ndarray:
    """[24, 40, 3]: a colour in each quarter."""
    image = np.zeros((24, 40, 3), np.uint8)
    image[:12, :20], image[:12, 20:], image[12:, :20] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return image


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def encode(picture: np.ndarray, kind: str, orientation: int) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, KINDS[kind], exif=exif(orientation), quality=100)
    return file.getvalue()


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_and_size_are_those_of_a_viewer(
    tmp_path: Path, picture: np.ndarray, kind: str, orientation: int
) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encode(picture, kind, orientation))
    seen = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    image = read_image(path)
    assert image.shape == seen.shape and read_size(path) == image.shape[:2]
    assert np.abs(image - seen.astype(int)).mean() < 10
    assert np.array_equal(turn(picture, orientation)[0, 0] > 128, seen[0, 0] > 128)
    assert np.array_equal(turn_back(turn(picture, orientation), orientation), picture)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_stored_pixels_where_the_boxes_were_drawn_on_them(
    tmp_path: Path, picture: np.ndarray, kind: str, orientation: int
) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encode(picture, kind, orientation))
    image = read_image(path, (24, 40))
    assert np.abs(image - picture.astype(int)).mean() < 10


def test_exif_behind_the_pixels_of_a_png(tmp_path: Path, picture: np.ndarray) -> None:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    block = b"eXIf" + exif(6).tobytes()[6:]
    chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
    content = file.getvalue()
    for behind in (b"", b"film" * 30000):
        (tmp_path / "a.png").write_bytes(content[:-12] + chunk + content[-12:] + behind)
        assert read_size(tmp_path / "a.png") == read_image(tmp_path / "a.png").shape[:2] == (40, 24)
    turned = encode(picture, "png", 6)  # behind the end of an upright one
    for behind in (turned, turned[:-12] + chunk + turned[-12:]):
        (tmp_path / "b.png").write_bytes(content + behind)
        assert read_size(tmp_path / "b.png") == read_image(tmp_path / "b.png").shape[:2] == (24, 40)


@pytest.mark.parametrize("value", [0, 9, 700])
def test_orientations_that_do_not_exist_turn_nothing(
    tmp_path: Path, picture: np.ndarray, value: int
) -> None:
    for kind in KINDS:
        path = tmp_path / f"a.{kind}"
        path.write_bytes(encode(picture, kind, value))
        assert read_size(path) == read_image(path).shape[:2] == (24, 40)


def test_a_broken_block_turns_nothing(tmp_path: Path, picture: np.ndarray) -> None:
    for kind in ("jpg", "webp"):
        path = tmp_path / f"a.{kind}"
        Image.fromarray(picture).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xffnone")
        assert read_size(path) == read_image(path).shape[:2] == (24, 40)


def test_size_and_pixels_agree_on_damaged_headers(tmp_path: Path, picture: np.ndarray) -> None:
    """Decoders differ in what they forgive; one reading of the orientation serves both."""
    whole = encode(picture, "jpg", 6)
    seen = set()
    for place in range(22, 60):  # the block of EXIF
        (tmp_path / "a.jpg").write_bytes(whole[:place] + b"\x7f" + whole[place + 1 :])
        try:
            shape = read_image(tmp_path / "a.jpg").shape[:2]
        except FocusDetrError:
            continue
        assert read_size(tmp_path / "a.jpg") == shape
        seen.add(shape)
    assert seen == {(24, 40), (40, 24)}
