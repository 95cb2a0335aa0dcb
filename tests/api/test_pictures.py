"""Pictures in every form that Python programs have them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from focus_detr.api.pictures import PictureSource, is_picture
from focus_detr.errors import FocusDetrError

ORIENTATION, A_QUARTER = 0x0112, 6  # EXIF's number of the tag; to be turned right
RED_LEFT = np.zeros((40, 60, 3), np.uint8)
RED_LEFT[:, :30, 0] = 255


def closed_image() -> Image.Image:
    image = Image.new("RGB", (40, 40))
    image.close()
    return image


def test_a_file_an_array_and_an_image_of_pillow_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), RED_LEFT[..., ::-1])
    for given in (file, str(file), RED_LEFT, Image.fromarray(RED_LEFT)):
        assert is_picture(given)
        np.testing.assert_array_equal(PictureSource.of(given).read(), RED_LEFT)


def test_the_home_folder_may_be_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cv2.imwrite(str(tmp_path / "a.png"), RED_LEFT[..., ::-1])
    np.testing.assert_array_equal(PictureSource.of("~/a.png").read(), RED_LEFT)


def test_an_image_of_pillow_is_turned_as_its_camera_noted() -> None:
    image = Image.fromarray(RED_LEFT)
    image.getexif()[ORIENTATION] = A_QUARTER
    np.testing.assert_array_equal(PictureSource.of(image).read(), np.rot90(RED_LEFT, -1))


@pytest.mark.parametrize("maker", [None, "some camera"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_file_is_turned_the_same_whoever_opens_it(
    tmp_path: Path, kind: str, maker: str | None
) -> None:
    """XMP is followed by Pillow, not by us and browsers."""
    note = b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", note.decode())
    more = {"PNG": {"pnginfo": texts}, "TIFF": {"tiffinfo": {700: note}}}.get(kind, {"xmp": note})
    exif = Image.Exif()
    if maker:
        exif[0x010F] = maker  # EXIF without an orientation
        more["exif"] = exif
    Image.fromarray(RED_LEFT).save(tmp_path / "a", kind, **more)
    with Image.open(tmp_path / "a") as opened:
        found = PictureSource.of(opened).read()
        assert note in (opened.info.get("xmp"), str(opened.info.get("XML:com.adobe.xmp")).encode())
    assert found.shape == PictureSource.of(tmp_path / "a").read().shape == RED_LEFT.shape


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "I;16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_file_that_pillow_opened(tmp_path: Path, mode: str, orientation: int) -> None:
    stored = Image.fromarray(RED_LEFT).convert(mode.replace("I;16", "L"))
    if mode == "I;16":
        stored = Image.fromarray(np.asarray(stored).astype(np.uint16) << 8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "a.tif"
    stored.save(path, exif=exif)
    with Image.open(path) as image:
        found = PictureSource.of(image).read()
        assert image.filename == str(path)
    np.testing.assert_allclose(found, PictureSource.of(path).read(), atol=2)


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("L", (40, 40), 200), (200, 200, 200)),
        (Image.new("RGBA", (40, 40), (10, 20, 30, 0)), (10, 20, 30)),
        (Image.new("1", (40, 40), 1), (255, 255, 255)),
        (Image.fromarray(np.full((40, 40), 0x80FF, np.uint16)), (128, 128, 128)),
    ],
    ids=["grey", "alpha", "black and white", "16 bits"],
)
def test_other_modes_of_pillow_become_rgb(image: Image.Image, colour: tuple[int, ...]) -> None:
    read = PictureSource.of(image).read()
    assert read.shape == (40, 40, 3) and read.dtype == np.uint8
    assert tuple(read[20, 20]) == colour


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (7, "a picture is a path, an array or an image of Pillow, not int"),
        (b"abc", "not bytes"),
        (np.zeros((40, 40), np.uint8), r"pictures\[2\]: a picture must be \[H, W, 3\] uint8, got"),
        (np.zeros((40, 40, 3)), r"got \[40, 40, 3\] float64"),
        (np.zeros((40, 29, 3), np.uint8), "29x40 pixels; each side needs at least 30"),
        (closed_image(), r"pictures\[2\]: the image of Pillow cannot be read: .* closed image"),
        (Image.new("F", (40, 40)), "mode F does not say what is white"),
        ("missing.png", "cannot read image missing.png"),
        (Path(__file__).parent, "is a folder: give a list of its pictures"),
        (Path(__file__), "cannot decode image .*test_pictures.py"),
    ],
)
def test_what_is_no_picture_is_one_sentence(given: object, sentence: str) -> None:
    with pytest.raises(FocusDetrError, match=sentence) as caught:
        PictureSource.of(given, 2).read()
    assert "\n" not in str(caught.value)
