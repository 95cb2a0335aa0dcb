"""Pictures of kinds that are not read are told from broken ones."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, features

from focus_detr.data.image_io import decode_image, read_image
from focus_detr.data.picture_files import read_size
from focus_detr.data.picture_kinds import unread_reason
from focus_detr.errors import FocusDetrError


def written(kind: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (48, 48)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "PDF"])
def test_files_of_pillow(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    with pytest.raises(FocusDetrError, match=f"photo: it is {kind}, which is not read; convert it"):
        decode_image(written(kind), "photo")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "it is HEIC, which is not read; convert it"),
        (b"\xff\x0a\xfa", "it is JPEG XL"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>", "it is a web page"),
        (b"../blobs/0001", "it holds only the path ../blobs/0001, as of a link"),
        (b"\0\0\0\x20ftypisom", "it is a film, not a picture"),
        (b"\x1a\x45\xdf\xa3\x01\0\0", "it is a film, not a picture"),
        (b"RIFF\0\0\0\0AVI LIST", "it is a film, not a picture"),
        (b"RIFF\0\0\0\0WAVE", "it is broken or no image"),
        (b"some/ text", "it is broken or no image"),
    ],
)
def test_why_a_file_is_no_picture(tmp_path: Path, data: bytes, reason: str) -> None:
    """Decoding and reading the size say the same."""
    (tmp_path / "a.jpg").write_bytes(data)
    for read in (read_image, read_size):
        with pytest.raises(FocusDetrError, match=rf"a\.jpg: {reason}"):
            read(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_what_is_read_is_none_of_them(kind: str) -> None:
    assert unread_reason(written(kind)) == "it is broken or no image"
