"""Reading Pascal VOC: one xml file for each picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from focus_detr.checks import is_finite_number
from focus_detr.data.annotations import MAX_SIDE, Annotations, BoxEntry, ImageEntry
from focus_detr.data.class_names import (
    LIST_NAMES,
    find_names_file,
    number_classes,
    read_class_names,
)
from focus_detr.data.classes import ClassMap
from focus_detr.data.picture_files import find_pictures, is_folder, read_size
from focus_detr.data.text_files import read_text
from focus_detr.errors import FocusDetrError

XML_FOLDER = "Annotations"
_IMAGE_FOLDERS = ("JPEGImages", "images")

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Object:
    name: str
    box: Box  # x, y, width, height in pixels, counted from 0
    difficult: bool


@dataclass(frozen=True)
class _Page:
    """One xml file."""

    path: Path
    file_name: str  # of the picture, as the file says; often wrong after renaming
    size: tuple[int, int] | None  # (height, width); None: not given
    objects: tuple[_Object, ...]


@dataclass(frozen=True)
class _Layout:
    """Where a set has its files."""

    xmls: tuple[Path, ...]
    xml_folder: Path
    root: Path


def read_voc(source: Path, image_dir: Path | None, classes: ClassMap | None = None) -> Annotations:
    """Read a set of VOC files.

    ``bndbox`` counts pixels from 1 and includes its last ones: ``xmin`` 1 and ``xmax`` 1 is a box
    one pixel wide at the left edge. Objects marked ``difficult`` become crowds: they are not
    learnt, and in evaluation a detection on one counts neither way, as in the VOC challenge.
    Image ids count from 1 in the order of the files' names, or of the list.

    Args:
        source: folder with xml files, one with such a folder ``Annotations`` in it, a list below
            ``ImageSets``, or one xml file.
        image_dir: folder of the pictures; None: ``JPEGImages`` or ``images`` beside the xml
            files' folder, else that folder itself.
        classes: class map of the model; its ids are used for its names.

    Raises:
        FocusDetrError: a file is missing or broken, or a class is not one of the model's.
    """
    layout = _find_layout(source)
    pages = [_read_page(path) for path in layout.xmls]
    class_map = _class_map(pages, layout, classes)
    folder = image_dir or _image_folder(layout)
    index = _PictureIndex(find_pictures(folder))
    images: list[ImageEntry] = []
    boxes: list[BoxEntry] = []
    unreadable: list[str] = []
    for number, page in enumerate(pages, start=1):
        xml = Path(os.path.relpath(page.path, layout.xml_folder))  # a list may lead elsewhere
        name = index.find(page.file_name, xml)
        try:
            size = page.size or read_size(folder / name)
        except FocusDetrError as error:
            unreadable.append(f"{page.path.name}: {error}")
            continue
        images.append(ImageEntry(number, name, folder / name, *size))
        boxes += _boxes(page, number, class_map)
    return Annotations(source, tuple(images), tuple(boxes), class_map, tuple(unreadable))


def _find_layout(source: Path) -> _Layout:
    if is_folder(source):
        inner = source / XML_FOLDER
        folder = inner if is_folder(inner) else source
        xmls = tuple(sorted(folder.rglob("*.xml")))
        if not xmls:
            raise FocusDetrError(f"{source} has no xml files")
        return _Layout(xmls, folder, folder.parent)
    if source.suffix == ".xml":
        return _Layout((source,), source.parent, source.parent.parent)
    root = next((parent for parent in source.parents if is_folder(parent / XML_FOLDER)), None)
    if root is None:
        raise FocusDetrError(f"{source}: no folder above it has a folder {XML_FOLDER}")
    lines = [line.split() for line in read_text(source).splitlines()]
    names = dict.fromkeys(words[0] for words in lines if words)  # a class's list adds 1 or -1
    if not names:
        raise FocusDetrError(f"{source} lists no images")
    folder = root / XML_FOLDER
    return _Layout(tuple(folder / f"{name}.xml" for name in names), folder, root)


def _image_folder(layout: _Layout) -> Path:
    candidates = (layout.root / name for name in _IMAGE_FOLDERS)
    return next((folder for folder in candidates if is_folder(folder)), layout.xml_folder)


class _PictureIndex:
    """Finds the picture of an xml file."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)
        self._by_stem: dict[str, str] = {}
        for name in names:
            plain = PurePosixPath(name)
            for stem in (plain.with_suffix("").as_posix(), plain.stem):
                self._by_stem.setdefault(stem, name)

    def find(self, file_name: str, xml: Path) -> str:
        """The named picture, else the one called like the xml file, else a name without file."""
        plain = file_name.strip().replace("\\", "/")
        for name in (plain, PurePosixPath(plain).name):
            if name in self._names:
                return name
        stem = xml.with_suffix("").as_posix()
        found = self._by_stem.get(stem) or self._by_stem.get(xml.stem)
        return found or plain or f"{stem}.jpg"


def _class_map(pages: Sequence[_Page], layout: _Layout, model: ClassMap | None) -> ClassMap:
    """The names of a list beside the set, or all that occur; each must be one of the model's."""
    names_file = find_names_file((layout.xml_folder, layout.root), LIST_NAMES)
    if names_file is None:
        found = sorted({item.name for page in pages for item in page.objects})
        names = tuple(found) or (model.names if model else ())
    else:
        names = read_class_names(names_file)
    if not names:
        raise FocusDetrError(f"{layout.xml_folder}: no file has an object, so there are no classes")
    allowed = set(names) & set(model.names) if model else set(names)
    where = "the model's classes" if names_file is None else str(names_file)
    for page in pages:
        for number, item in enumerate(page.objects, start=1):
            if item.name not in allowed:
                raise FocusDetrError(
                    f"{page.path}: object {number}: name '{item.name}' is not in {where}"
                )
    return number_classes(names, model)


def _boxes(page: _Page, image_id: int, classes: ClassMap) -> list[BoxEntry]:
    ids = dict(zip(classes.names, classes.category_ids, strict=True))
    return [
        BoxEntry(image_id, ids[item.name], item.box, item.box[2] * item.box[3], item.difficult)
        for item in page.objects
    ]


def _read_page(path: Path) -> _Page:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FocusDetrError(f"cannot read annotation file {path}: {reason}") from error
    except (ElementTree.ParseError, LookupError) as error:  # LookupError: an unknown encoding
        raise FocusDetrError(f"{path} is not valid XML: {error}") from error
    if root.tag != "annotation":
        raise FocusDetrError(f"{path} is not a VOC file: its top element is '{root.tag}'")
    objects = [
        _object(item, f"{path}: object {number}")
        for number, item in enumerate(root.findall("object"), start=1)
    ]
    return _Page(path, root.findtext("filename") or "", _size(root, path), tuple(objects))


def _size(root: Element, path: Path) -> tuple[int, int] | None:
    """The stated size; many tools leave it out or write zeros."""
    if not any(root.findtext(f"size/{key}") for key in ("height", "width")):
        return None
    height, width = (_number(root, f"size/{key}", str(path)) for key in ("height", "width"))
    if height == width == 0:
        return None
    for key, value in (("height", height), ("width", width)):
        if not 1 <= value <= MAX_SIDE or value != int(value):
            raise FocusDetrError(
                f"{path}: 'size/{key}' must be a whole number from 1 to {MAX_SIDE}, not {value:g}"
            )
    return int(height), int(width)


def _object(item: Element, where: str) -> _Object:
    name = (item.findtext("name") or "").strip()
    if not name:
        raise FocusDetrError(f"{where} has no 'name'")
    if item.find("bndbox") is None:
        raise FocusDetrError(f"{where} has no 'bndbox'")
    x1, y1, x2, y2 = (
        _number(item, f"bndbox/{key}", where) for key in ("xmin", "ymin", "xmax", "ymax")
    )
    difficult = (item.findtext("difficult") or "0").strip()
    if difficult not in ("0", "1"):
        raise FocusDetrError(f"{where}: 'difficult' must be 0 or 1, not {difficult!r}")
    return _Object(name, (x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1), difficult == "1")


def _number(element: Element, key: str, where: str) -> float:
    text = element.findtext(key)
    if text is None:
        raise FocusDetrError(f"{where} has no '{key}'")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not is_finite_number(value):
        raise FocusDetrError(f"{where}: '{key}' must be a finite number, not {text!r}")
    return value
