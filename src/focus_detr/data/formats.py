"""Which format annotations have, and reading them whatever it is."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

from focus_detr.data.annotations import Annotations
from focus_detr.data.class_names import (
    YAML_NAMES,
    check_readable,
    find_names_file,
    warn_of_alike,
    warn_of_left_out,
)
from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_json import read_coco
from focus_detr.data.conventions import check_convention
from focus_detr.data.mindrecord import packed_files, read_mindrecord
from focus_detr.data.picture_files import is_folder
from focus_detr.data.repeats import without_repeats
from focus_detr.data.visible_files import files_below
from focus_detr.data.voc import XML_FOLDER, read_voc
from focus_detr.data.yolo import read_yolo
from focus_detr.data.yolo_layout import DARKNET_SUFFIX, LABEL_FOLDER, Split
from focus_detr.errors import FocusDetrError

Format = Literal["coco", "mindrecord", "voc", "yolo"]
_LIST_FOLDER = "ImageSets"
# what the parts of a set are called, with a year or without
_TRAINING = re.compile(r"train(ing)?\d*", re.IGNORECASE)
_OTHERS = re.compile(r"(val|valid|validation|test)\d*", re.IGNORECASE)
_log = logging.getLogger(__name__)
_FILES_INSIDE: dict[str, Format] = {".xml": "voc", ".json": "coco", ".txt": "yolo"}
_SUFFIXES: dict[str, Format] = {
    ".yaml": "yolo",
    ".yml": "yolo",
    DARKNET_SUFFIX: "yolo",
    ".xml": "voc",
}


def read_annotations(
    source: str | Path,
    image_dir: str | Path | None = None,
    *,
    classes: ClassMap | None = None,
    split: Split = "train",
    pictures: bool = True,
) -> Annotations:
    """Read COCO json, Pascal VOC or YOLO text annotations, or a packed data set.

    This is the one way to read them, for training, evaluation and everything else. What the source
    has twice is left out, see ``without_repeats``.

    Args:
        source: file or folder, see ``detect_format``.
        image_dir: folder of the pictures; VOC and YOLO find it themselves in the usual layouts, and
            a packed set holds them.
        classes: class map of the model.
        split: which part of a YOLO data.yaml is meant.
        pictures: whether they will be opened; otherwise COCO json may lack their names and sizes.

    Raises:
        FocusDetrError: no known format, a broken file, data that do not fit ``classes``, a class
            name with control characters, or boxes in another convention.
    """
    path = Path(source)
    folder = None if image_dir is None else Path(image_dir)
    annotations = _read(path, folder, classes, split, pictures)
    check_readable(annotations.classes.names, path)
    warn_of_alike(annotations.classes.names, path)
    warn_of_left_out(annotations.classes.names, path)
    check_convention(annotations)
    if annotations.numbered and is_folder(path):
        _warn_of_parts(annotations)
    return without_repeats(annotations)


def _warn_of_parts(annotations: Annotations) -> None:
    """Tell that a folder has the pictures of a training and of a validation, and is one set."""
    folders = {os.path.dirname(image.name) for image in annotations.images}
    parts = sorted({part for folder in folders for part in folder.split("/")})
    training, others = (list(filter(form.fullmatch, parts)) for form in (_TRAINING, _OTHERS))
    if training and others:
        _log.warning(
            "%s is read as one set, with the pictures in its folders %s and %s; name one of them "
            "if they are to be kept apart",
            *(annotations.source, ", ".join(training), ", ".join(others)),
        )


def _read(
    path: Path, folder: Path | None, classes: ClassMap | None, split: Split, pictures: bool
) -> Annotations:
    if folder is not None and not is_folder(folder):
        raise FocusDetrError(f"image folder {folder} does not exist")
    kind = detect_format(path)
    if kind == "mindrecord":
        return read_mindrecord(path, classes)
    if kind == "voc":
        return replace(read_voc(path, folder, classes), numbered=True)
    if kind == "yolo":
        return replace(read_yolo(path, folder, classes, split), numbered=True)
    file = _json_file(path) if is_folder(path) else path
    return read_coco(file, folder or file.parent, classes, pictures=pictures)


def detect_format(path: Path) -> Format:
    """The format of what a path points to.

    ==========================================================  ==========
    MindRecord file (``.mindrecord``), or folder with some       MindRecord
    folder with a folder ``Annotations``, or with xml files      VOC
    text file below a folder ``ImageSets``, or beside            VOC
    ``Annotations`` without ``labels``; an xml file              VOC
    folder with a folder ``labels``, a data.yaml or text files   YOLO
    a yaml file, an obj.data, any other text file (a list)       YOLO
    any other file; folder with one json file                    COCO
    ==========================================================  ==========

    Raises:
        FocusDetrError: a folder with nothing of that.
    """
    if packed_files(path):
        return "mindrecord"
    if not is_folder(path):
        if path.suffix.lower() == ".txt":
            return "voc" if _is_voc_list(path) else "yolo"
        return _SUFFIXES.get(path.suffix.lower(), "coco")
    if is_folder(path / XML_FOLDER):
        return "voc"
    if is_folder(path / LABEL_FOLDER) or find_names_file((path,), YAML_NAMES):
        return "yolo"
    for suffix, kind in _FILES_INSIDE.items():
        if files_below(path, {suffix}):
            return kind
    raise FocusDetrError(
        f"{path} has no annotations: neither a json file nor xml files nor label files (.txt)"
    )


def _is_voc_list(path: Path) -> bool:
    labels, xmls = (is_folder(path.parent / name) for name in (LABEL_FOLDER, XML_FOLDER))
    return _LIST_FOLDER in path.absolute().parts or (xmls and not labels)


def _json_file(folder: Path) -> Path:
    files = files_below(folder, {".json"})
    if len(files) != 1:
        raise FocusDetrError(f"{folder} has {len(files)} json files; name the one to read")
    return folder / files[0]
