"""Reading Pascal VOC: one xml file for each picture."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from focus_detr.data.annotations import Annotations, BoxEntry, ImageEntry
from focus_detr.data.class_names import (
    LIST_NAMES,
    nearest_names,
    number_classes,
)
from focus_detr.data.classes import ClassMap
from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.label_pairs import Pairing, by_stem, pair_labels, warn_of_rivals
from focus_detr.data.named_files import NamedFiles, spellings
from focus_detr.data.picture_files import find_pictures, is_folder, read_size
from focus_detr.data.text_files import is_comment, read_lines
from focus_detr.data.visible_files import files_below, inner_folder
from focus_detr.data.voc_page import VocPage, read_page
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

XML_FOLDER = "Annotations"
_XML = ".xml"
_IMAGE_FOLDERS = ("JPEGImages", "images")
_ENDINGS = "|".join(map(re.escape, sorted(IMAGE_SUFFIXES)))
# PaddleDetection's lists have the picture, a blank and the xml file
_PAIR = re.compile(rf"\s*\S.*(?:{_ENDINGS})\s+(\S.*{re.escape(_XML)})\s*", re.IGNORECASE)
_FLAG = re.compile(r"(.*\S)\s+-?[01]")  # a class's list says 1, 0 or -1 behind each name

_log = logging.getLogger(__name__)


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
    pages = {_stem(path, layout): read_page(path) for path in layout.xmls}
    class_map = _class_map([*pages.values()], layout, classes)
    folder = image_dir or _image_folder(layout)
    pictures = find_pictures(folder)
    pairing = pair_labels({stem: page.file_name for stem, page in pages.items()}, pictures)
    _warn(pairing, pages, source)
    known = frozenset(pictures)
    images: list[ImageEntry] = []
    boxes: list[BoxEntry] = []
    unreadable: list[str] = []
    for number, (stem, page) in enumerate(pages.items(), start=1):
        name = pairing.pictures.get(stem) or _absent(stem, page, known)
        try:
            if name in known and stem not in pairing.pictures:
                raise FocusDetrError(f"{folder / name} belongs to another xml file")
            size = page.size or read_size(folder / name)
        except FocusDetrError as error:
            unreadable.append(f"{page.path.name}: {error}")
            continue
        images.append(ImageEntry(number, name, folder / name, *size))
        boxes += _boxes(page, number, class_map)
    return Annotations(source, tuple(images), tuple(boxes), class_map, tuple(unreadable))


def _stem(path: Path, layout: _Layout) -> str:
    """Below the folder of xml files, from which a list may lead elsewhere."""
    return PurePosixPath(os.path.relpath(path, layout.xml_folder)).with_suffix("").as_posix()


def _absent(stem: str, page: VocPage, known: Container[str]) -> str:
    """What to call a picture that is not there: as the file says, unless it means another one."""
    plain = page.file_name.strip().replace("\\", "/")
    return plain if plain and plain not in known else f"{stem}.jpg"


def _warn(pairing: Pairing, pages: Mapping[str, VocPage], source: Path) -> None:
    """Count files that declare or name what they do not have, and doubtful pictures."""
    mistaken = [page for page in pages.values() if page.mistaken]
    if mistaken:
        _log.warning(
            "%s: read %s as UTF-8, which they are, such as %s, though they declare %s",
            *(source, counted(len(mistaken), "xml file"), mistaken[0].path.name),
            mistaken[0].mistaken,
        )
    if pairing.contradicted:
        page = pages[min(pairing.contradicted)]
        _log.warning(
            "%s: %s whose 'filename' is that of another picture, such as %s with %r; the picture "
            "called like the xml file is taken",
            *(source, counted(len(pairing.contradicted), "xml file"), page.path.name),
            page.file_name,
        )
    early = [page for page in pages.values() if page.early]
    if early:
        _log.warning(
            "%s: boxes of %s begin before pixel 1, from which VOC counts, such as in %s; if the "
            "set counts from 0, all its boxes are taken one pixel too far to the upper left",
            *(source, counted(len(early), "xml file"), early[0].path.name),
        )
    warn_of_rivals(source, pairing.rivals)


def _find_layout(source: Path) -> _Layout:
    if is_folder(source):
        inner = source / XML_FOLDER
        folder = inner if is_folder(inner) else source
        xmls = tuple(
            folder / name for name in by_stem(files_below(folder, {_XML}), folder).values()
        )
        if not xmls:
            raise FocusDetrError(f"{source} has no xml files")
        return _Layout(xmls, folder, folder.parent)
    if source.suffix.lower() == _XML:
        return _Layout((source,), source.parent, source.parent.parent)
    root = next((parent for parent in source.parents if is_folder(parent / XML_FOLDER)), None)
    if root is None:
        raise FocusDetrError(f"{source}: no folder above it has a folder {XML_FOLDER}")
    xmls = _listed(source, root / XML_FOLDER)
    return _Layout(xmls, root / XML_FOLDER, root)


def _listed(source: Path, folder: Path) -> tuple[Path, ...]:
    """The xml files of a list: a line is a name, whatever blanks it has.

    Only if every line ends in 1, 0 or -1, as in the list of a class, this belongs to no name.
    """
    lines = [line for line in read_lines(source) if line.strip()]
    files = NamedFiles(folder)
    flags = all(map(_FLAG.fullmatch, map(str.strip, lines)))
    found: list[Path] = []
    for line in lines:
        pair = _PAIR.fullmatch(line)
        path = _xml_of(line, files) or (_xml_of(pair[1], files) if pair else None)
        if path is None and is_comment(line):
            continue
        flag = _FLAG.fullmatch(line.strip()) if flags and path is None else None
        name = flag[1] if flag else line.strip()
        found.append(path or _xml_of(name, files) or folder / f"{name}{_XML}")
    if not found:
        raise FocusDetrError(f"{source} lists no images")
    again = len(found) - len(set(found))
    if again:
        _log.warning(
            "%s: %s named more than once; each is used once", source, counted(again, "xml file")
        )
    return tuple(dict.fromkeys(found))


def _xml_of(name: str, files: NamedFiles) -> Path | None:
    """The xml file of a name in a list, which may have the ending of either file."""
    written = [text for given in spellings(name) for text in (given, _below_known_folder(given))]
    names = [f"{text}{_XML}" for text in written]
    for text in map(str.strip, written):
        path = PurePosixPath(text)
        if path.suffix.lower() in {*IMAGE_SUFFIXES, _XML}:
            names.append(path.with_suffix(_XML).as_posix())
    return next(filter(None, map(files.find, names)), None)


def _below_known_folder(name: str) -> str:
    """``a`` of ``VOC2007/JPEGImages/a``."""
    parts = PurePosixPath(name).parts
    known = [i for i, part in enumerate(parts[:-1]) if part in (XML_FOLDER, *_IMAGE_FOLDERS)]
    return "/".join(parts[known[-1] + 1 :]) if known else name


def _image_folder(layout: _Layout) -> Path:
    found = (inner_folder(layout.root, name) for name in _IMAGE_FOLDERS)
    return next(filter(None, found), layout.xml_folder)


def _class_map(pages: Sequence[VocPage], layout: _Layout, model: ClassMap | None) -> ClassMap:
    """The names of a list beside the set, or all that occur; each must be one of the model's."""
    listed = nearest_names((layout.xml_folder, layout.root), LIST_NAMES)
    if listed is None:
        found = sorted({item.name for page in pages for item in page.objects})
        names = tuple(found) or (model.names if model else ())
    else:
        names = listed[0]
    if not names:
        raise FocusDetrError(f"{layout.xml_folder}: no file has an object, so there are no classes")
    allowed = set(names) & set(model.names) if model else set(names)
    where = "the model's classes" if listed is None else str(listed[1])
    for page in pages:
        for number, item in enumerate(page.objects, start=1):
            if item.name not in allowed:
                raise FocusDetrError(
                    f"{page.path}: object {number}: name '{item.name}' is not in {where}"
                )
    return number_classes(names, model)


def _boxes(page: VocPage, image_id: int, classes: ClassMap) -> list[BoxEntry]:
    ids = dict(zip(classes.names, classes.category_ids, strict=True))
    return [
        BoxEntry(image_id, ids[item.name], item.box, item.box[2] * item.box[3], item.difficult)
        for item in page.objects
    ]
