"""Uploads are looked at before they are trusted."""

from __future__ import annotations

import pickle
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from demo_server import picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from focus_detr.demo.pictures import check_picture, decode_picture
from focus_detr.demo.refusals import RefusalError

LIMIT = 1_000_000


def _png_that_claims(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(head) + _chunk(b"IDAT" + bytes(50)) + _chunk(b"IEND")


def _chunk(content: bytes) -> bytes:
    length, checksum = len(content) - 4, zlib.crc32(content)
    return struct.pack(">I", length) + content + struct.pack(">I", checksum)


def tiff_of_two_sizes() -> bytes:
    """Pillow sees 10x10 pixels, where the decoder unfolds 8000x8000."""
    tags = [(256, 8000), (256, 10), (257, 8000), (257, 10), (258, 8), (262, 1), (273, 8), (277, 1)]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + rows + bytes(100)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_known_formats_are_decoded(suffix: str) -> None:
    data = picture(200, (40, 50), suffix)
    check_picture(data, LIMIT)
    image = decode_picture(data)
    assert image.shape == (40, 50, 3)
    assert np.abs(image[20, 25].astype(int) - [200, 20, 10]).max() <= 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
def test_photographs_are_turned_and_may_have_something_behind_them(kind: str) -> None:
    """As a browser shows them, so that the boxes lie where they should."""
    file, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6  # the stored left half is on top
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = 200
    Image.fromarray(pixels).save(file, kind, exif=exif)
    data = file.getvalue() + b"\xff\xd8\xff\xda film" * 50
    check_picture(data, LIMIT)
    image = decode_picture(data)
    assert image.shape == (60, 40, 3)
    assert image[5, 20, 0] > 150 and image[55, 20, 0] < 50


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        bytes(100),
        pickle.dumps([1, 2]),
        b"GIF89a\x01\x00\x01\x00",
        b"%PDF-1",
        b"<svg/>",
        tiff_of_two_sizes(),
    ],
    ids=["text", "zeros", "pickle", "gif", "pdf", "svg", "tiff"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(RefusalError, match=r"is no picture that is known here .*PNG") as caught:
        check_picture(data, LIMIT)
    assert caught.value.status == 415


def test_the_limit_of_pixels_is_exact() -> None:
    data = picture(size=(40, 50))
    check_picture(data, 2000)
    with pytest.raises(RefusalError, match=r"too many pixels \(50x40\): at most 0.001999 million"):
        check_picture(data, 1999)


@pytest.mark.parametrize("sides", [(60_000, 60_000), (10_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_small_file_that_would_unfold_is_refused_by_its_header(sides: tuple[int, int]) -> None:
    with pytest.raises(RefusalError, match="too many pixels") as caught:
        check_picture(_png_that_claims(*sides), LIMIT)
    assert caught.value.status == 413


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_is_cut_off_is_refused(suffix: str) -> None:
    data = picture(suffix=suffix)
    with pytest.raises(RefusalError, match="image in the request is cut off") as caught:
        decode_picture(data[:-20])
    assert caught.value.status == 422


@given(st.data(), st.sampled_from([".jpg", ".png", ".webp", ".bmp"]))
def test_damaged_files_are_decoded_or_refused(data: st.DataObject, suffix: str) -> None:
    content = bytearray(picture(size=(30, 40), suffix=suffix))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_picture(bytes(content), LIMIT)
        image = decode_picture(bytes(content))
    except RefusalError as error:
        assert error.status in (413, 415, 422) and error.sentence
    else:
        assert image.ndim == 3 and image.shape[0] * image.shape[1] <= LIMIT
