"""Pictures of kinds that are not read are told from broken ones."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, features

from focus_detr.data.image_io import decode_image
from focus_detr.data.picture_kinds import unread_kind
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


def test_heads_of_other_files() -> None:
    assert unread_kind(b"\0\0\0\x24ftypheic\0\0\0\0mif1heic") == "HEIC"
    assert unread_kind(b"\0\0\0\x20ftypisom") is None
    assert unread_kind(b"\xff\x0a\xfa") == "JPEG XL"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_what_is_read_is_none_of_them(kind: str) -> None:
    assert unread_kind(written(kind)) is None
