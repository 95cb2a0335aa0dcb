"""Which files of a VOC set belong together, and what its lists mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from annotation_files import voc_xml, write_picture, write_voc

from focus_detr.data.voc import read_voc
from focus_detr.errors import FocusDetrError

Names = ("photo", "photo (1)", "photo 1", "b c.d", "#5")
ReadList = Callable[[str], list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A picture of its own width for each name."""
    sizes = {name: (20, 30 + number) for number, name in enumerate(Names)}
    return write_voc(tmp_path / "set", sizes, {name: [("cat", (1, 1, 9, 9), 0)] for name in Names})


@pytest.fixture
def read_list(root: Path) -> ReadList:
    path = root / "ImageSets" / "Main" / "train.txt"
    path.parent.mkdir(parents=True)

    def read(text: str) -> list[str]:
        path.write_bytes(text.encode())
        return [image.name.removesuffix(".png") for image in read_voc(path, None).images]

    return read


def test_an_old_name_inside_does_not_count(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = root / "Annotations" / "photo.xml"
    path.write_text(voc_xml("photo (1).png", (20, 30), [("cat", (1, 1, 9, 9), 0)]))
    assert "photo.png" in [image.name for image in read_voc(root, None).images]
    assert "1 xml file whose 'filename' is that of another picture, such as photo.xml with" in (
        caplog.text
    )


def test_no_picture_is_learnt_with_the_boxes_of_another(root: Path) -> None:
    (root / "JPEGImages" / "photo.png").unlink()
    path = root / "Annotations" / "photo.xml"
    path.write_text(voc_xml("photo 1.png", (20, 30), [("cat", (1, 1, 9, 9), 0)]))
    read = read_voc(root, None)
    assert sorted(image.name for image in read.images) == sorted(
        f"{name}.png" if name != "photo" else "photo.jpg" for name in Names
    )
    assert not (root / "JPEGImages" / "photo.jpg").exists()  # so that it counts as missing


def test_the_named_one_of_two_pictures_with_one_stem(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(root / "JPEGImages" / "photo.jpg", (20, 30))
    names = [image.name for image in read_voc(root, None).images]
    assert "photo.png" in names and "photo.jpg" not in names
    assert "left out 1 picture whose label file belongs to another picture" in caplog.text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("photo\nphoto (1)\nphoto 1\n", ["photo", "photo (1)", "photo 1"]),
        ("photo  1\nphoto (1) -1\nphoto 1  0\n", ["photo", "photo (1)", "photo 1"]),
        ("\ufeffphoto\r\n\r\nb c.d\r\n", ["photo", "b c.d"]),
        ("# a comment\n#5\n", ["#5"]),
        ("photo (1).png\nphoto.xml\n", ["photo (1)", "photo"]),
        ("VOC2007/JPEGImages/photo (1).png\n", ["photo (1)"]),
        ("VOC2007\\JPEGImages\\photo (1).png\n", ["photo (1)"]),
        ("C:\\set\\Annotations\\photo (1).xml\n", ["photo (1)"]),
        (" photo (1) \n", ["photo (1)"]),
        ("./JPEGImages/photo (1).png ./Annotations/photo (1).xml\n", ["photo (1)"]),
        ("JPEGImages\\photo.PNG\tAnnotations\\photo.xml\n", ["photo"]),
    ],
)
def test_lines_are_names(read_list: ReadList, text: str, names: list[str]) -> None:
    assert read_list(text) == names


def test_a_name_that_comes_again_counts_once(
    read_list: ReadList, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_list("photo\nphoto\nphoto.png\n") == ["photo"]
    assert "train.txt: 2 xml files named more than once" in caplog.text


@pytest.mark.parametrize(
    ("text", "missing"), [("photo\nb 1\n", "b 1"), ("photo (7)\n", "photo (7)")]
)
def test_a_name_without_file_is_not_cut(read_list: ReadList, text: str, missing: str) -> None:
    with pytest.raises(FocusDetrError, match=r"cannot read .*No such file") as caught:
        read_list(text)
    assert f"{missing}.xml" in str(caught.value)


def test_xml_of_other_encodings(root: Path) -> None:
    path = root / "Annotations" / "photo.xml"
    text = '<?xml version="1.0" encoding="GBK"?>' + path.read_text().replace("cat", "\u8f66")
    path.write_bytes(text.encode("gbk"))
    assert read_voc(root, None).classes.names == ("cat", "\u8f66")


def test_a_second_xml_file_in_other_letters_is_told(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "Annotations" / "photo.XML").write_text(voc_xml("photo.png", (20, 30)))
    read = read_voc(root, None)
    assert len(read.images) == len(read.boxes) == len(Names)
    assert "left out 1 label file beside another of the same name, such as photo.XML" in caplog.text


@pytest.mark.parametrize("name", ["jpegimages", "Images"])
def test_the_folder_of_pictures_in_other_letters(root: Path, name: str) -> None:
    (root / "JPEGImages").rename(root / name)
    assert {image.path.parent for image in read_voc(root, None).images} == {root / name}
