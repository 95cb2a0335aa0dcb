"""The end of a picture file, with and without something behind it."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from focus_detr.data import whole_pictures
from focus_detr.data.image_io import decode_image, read_image
from focus_detr.data.whole_pictures import is_cut_off
from focus_detr.errors import FocusDetrError

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
FILM = b"\0\0\0\x18ftypmp42 \xff\xd8\xff\xda IEND \xff\xda" + bytes(range(256)) * 40


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, kind, **options)
    return file.getvalue()


def with_thumbnail() -> bytes:
    """A JPEG whose header holds another one."""
    exif = b"Exif\0\0" + b"I" * 20 + encoded("JPEG", quality=5)
    plain = encoded("JPEG")
    return plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:]


FILES = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "thumbnail": with_thumbnail(),
    "restarts": encoded("JPEG", restart_marker_rows=1),
    "png": encoded("PNG"),
    "webp": encoded("WEBP"),
    "lossless": encoded("WEBP", lossless=True),
    "palette": encoded("BMP", mode="P"),
    "tiff": encoded("TIFF"),
    "bmp": encoded("BMP"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_follows_the_end_is_left_alone(tmp_path: Path, kind: str) -> None:
    (tmp_path / "plain").write_bytes(FILES[kind])
    (tmp_path / "more").write_bytes(FILES[kind] + FILM)
    expected = read_image(tmp_path / "plain")
    np.testing.assert_array_equal(read_image(tmp_path / "more"), expected)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.98])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_ends_early_is_found(tmp_path: Path, kind: str, share: float) -> None:
    (tmp_path / "cut").write_bytes(FILES[kind][: int(share * len(FILES[kind]))])
    with pytest.raises(FocusDetrError, match=r"cut is cut off|cannot decode image .*cut"):
        read_image(tmp_path / "cut")


def test_a_second_picture_behind_the_first(tmp_path: Path) -> None:
    file = BytesIO()
    photo, other = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    photo.save(file, "MPO", save_all=True, append_images=[other])
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    expected = np.asarray(Image.open(file).convert("RGB")).astype(int)
    assert np.abs(read_image(tmp_path / "a.jpg") - expected).max() <= 3
    assert is_cut_off(file.getvalue()[: len(file.getvalue()) // 2 - 200])


WITH_AN_END = ("jpeg", "progressive", "thumbnail", "png", "webp", "lossless", "bmp", "palette")


@given(st.sampled_from(WITH_AN_END), st.floats(0.5, 0.99))
def test_every_cut_within_the_pixels_is_found(kind: str, share: float) -> None:
    assert is_cut_off(FILES[kind][: int(share * (len(FILES[kind]) - 12))])
    assert not is_cut_off(FILES[kind])


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "thumbnail", "restarts"])
def test_the_last_two_bytes_say_the_same_as_all_markers(kind: str) -> None:
    whole = FILES[kind]
    for data in (whole[:end] for end in range(2, len(whole) + 1)):
        assert is_cut_off(data) == whole_pictures._is_jpeg_cut_off(data)


def test_a_whole_jpeg_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_pictures, "_is_jpeg_cut_off", lambda data: pytest.fail("searched"))
    assert not is_cut_off(FILES["jpeg"])


def test_a_file_that_ends_with_its_thumbnail_is_refused(tmp_path: Path) -> None:
    whole = FILES["thumbnail"]
    cut = whole[: whole.index(whole_pictures._JPEG_TAIL) + 2]
    assert len(cut) < len(whole) / 2
    (tmp_path / "cut").write_bytes(cut)
    with pytest.raises(FocusDetrError, match=r"cannot decode image .*cut: it is broken"):
        read_image(tmp_path / "cut")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_a_palette_that_ends_early_is_found(compression: str, big: bool) -> None:
    file = BytesIO()
    picture = Image.fromarray(PIXELS).quantize(64)
    picture.save(file, "TIFF", compression=compression, big_tiff=big)
    data = file.getvalue()
    assert not is_cut_off(data) and not is_cut_off(data + FILM)
    assert is_cut_off(data[: data.rindex(bytes(2)) + 1])
    with pytest.raises(FocusDetrError):
        decode_image(data[:-1000], "a.tif")
    assert not is_cut_off(data[:6])


@pytest.mark.parametrize("place", [60, 2**32, 2**64 - 1])
def test_a_directory_that_lies_nowhere_is_left_to_the_decoder(place: int) -> None:
    data = b"II+\0\x08\0\0\0" + place.to_bytes(8, "little") + bytes(44)
    assert not is_cut_off(data)
    with pytest.raises(FocusDetrError, match="a\\.tif"):
        decode_image(data, "a.tif")


@pytest.mark.parametrize("kind", ["webp", "bmp", "palette"])
def test_the_last_byte_of_a_stated_length_counts(kind: str) -> None:
    with pytest.raises(FocusDetrError, match="image a is cut off"):
        decode_image(FILES[kind][:-1], "a")


def bitmap(header: bytes, pixels: int) -> bytes:
    start = 14 + len(header)
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, start) + header + bytes(pixels)


def test_bitmaps_of_other_headers() -> None:
    old = struct.pack("<IHHHH", 12, 30, 20, 1, 24)  # of OS/2: rows of 90 bytes, filled up to 92
    downwards = struct.pack("<IiiHHII16x", 40, 30, -20, 1, 24, 0, 0)
    packed = struct.pack("<IiiHHII16x", 40, 30, 20, 1, 8, 1, 77)
    for header, length in ((old, 92 * 20), (downwards, 92 * 20), (packed, 77)):
        assert not is_cut_off(bitmap(header, length))
        assert is_cut_off(bitmap(header, length - 1))
    assert not is_cut_off(b"BM, which is no picture at all")
    assert not is_cut_off(b"BM")
