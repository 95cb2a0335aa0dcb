"""Decoding image files."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from focus_detr.data.image_io import read_image
from focus_detr.errors import FocusDetrError

TURN_RIGHT = 6  # EXIF orientation: the stored image must be turned clockwise to be upright


@pytest.fixture
def picture() -> np.ndarray:
    """[20, 30, 3] RGB: left half red, right half blue."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, :15, 0] = 255
    image[:, 15:, 2] = 255
    return image


def write_jpeg_with_orientation(path: Path, image: np.ndarray, orientation: int) -> None:
    """A JPEG whose EXIF block holds the orientation and nothing else."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    block = b"Exif\0\0" + tiff
    plain = cv2.imencode(".jpg", image[:, :, ::-1])[1].tobytes()
    path.write_bytes(
        plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    )


def test_colours_are_in_rgb_order(tmp_path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture[:, :, ::-1])
    image = read_image(tmp_path / "a.png", (20, 30))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, picture)


def test_grey_files_get_three_equal_channels(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.stack([grey] * 3, axis=2))


def test_alpha_is_left_out(tmp_path: Path, picture: np.ndarray) -> None:
    transparent = np.dstack([picture[:, :, ::-1], np.zeros((20, 30), np.uint8)])
    cv2.imwrite(str(tmp_path / "a.png"), transparent)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)


def test_sixteen_bits_are_reduced_to_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 256 * 100, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0, :, 0], [0, 100, 255])


def test_sixteen_bits_of_three_channels(tmp_path: Path, picture: np.ndarray) -> None:
    for name in ("a.png", "a.tiff"):
        cv2.imwrite(str(tmp_path / name), picture[:, :, ::-1].astype(np.uint16) * 257)
        np.testing.assert_array_equal(read_image(tmp_path / name), picture)


@pytest.mark.parametrize("name", ["a.jpg", "a.tiff"])
def test_cmyk_is_converted(tmp_path: Path, name: str) -> None:
    image = np.full((16, 16, 3), (200, 60, 20), np.uint8)
    Image.fromarray(image).convert("CMYK").save(tmp_path / name, quality=95)
    assert np.abs(read_image(tmp_path / name).astype(int) - image).max() <= 3


@pytest.mark.parametrize("name", ["a.png", "a.tiff", "a.bmp"])
def test_palettes_are_looked_up(tmp_path: Path, picture: np.ndarray, name: str) -> None:
    Image.fromarray(picture).quantize(4).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name), picture)


def test_grey_with_alpha(tmp_path: Path) -> None:
    pixels = np.dstack([np.full((4, 5), 90, np.uint8), np.full((4, 5), 10, np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.full((4, 5, 3), 90))


def test_orientation_is_applied(tmp_path: Path, picture: np.ndarray) -> None:
    write_jpeg_with_orientation(tmp_path / "a.jpg", picture, TURN_RIGHT)
    image = read_image(tmp_path / "a.jpg", (30, 20))
    assert image.shape == (30, 20, 3)
    assert image[2, 10, 0] > 200  # the left half is on top now
    assert image[27, 10, 2] > 200


def test_orientation_is_ignored_where_annotations_did(tmp_path: Path, picture: np.ndarray) -> None:
    write_jpeg_with_orientation(tmp_path / "a.jpg", picture, TURN_RIGHT)
    image = read_image(tmp_path / "a.jpg", (20, 30))
    assert image.shape == (20, 30, 3)
    assert image[10, 2, 0] > 200


@pytest.mark.parametrize("expected", [(20, 31), (30, 20)])
def test_other_sizes_are_refused(
    tmp_path: Path, picture: np.ndarray, expected: tuple[int, int]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    said = f"a.png is 30x20, but its annotation says {expected[1]}x{expected[0]}"
    with pytest.raises(FocusDetrError, match=said):
        read_image(tmp_path / "a.png", expected)


@pytest.mark.parametrize("content", [b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\nIEND"])
def test_broken_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(FocusDetrError, match=r"cannot decode image .*a\.jpg"):
        read_image(tmp_path / "a.jpg")


def test_empty_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(FocusDetrError, match=r"image .*a\.jpg is empty"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(FocusDetrError, match=r"cannot read image .*b\.jpg: No such file"):
        read_image(tmp_path / "b.jpg")
    with pytest.raises(FocusDetrError, match=r"cannot read image .*null byte"):
        read_image(tmp_path / "b\0.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_cut_off_files_are_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / name), noise)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(FocusDetrError, match=f"{name} is cut off"):
        read_image(tmp_path / name)
