"""Which format annotations have, and reading them whatever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from focus_detr.data.annotations import Annotations
from focus_detr.data.class_names import YAML_NAMES, check_readable, find_names_file
from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_json import read_coco
from focus_detr.data.mindrecord import packed_files, read_mindrecord
from focus_detr.data.picture_files import is_folder
from focus_detr.data.visible_files import files_below
from focus_detr.data.voc import XML_FOLDER, read_voc
from focus_detr.data.yolo import read_yolo
from focus_detr.data.yolo_layout import DARKNET_SUFFIX, LABEL_FOLDER, Split
from focus_detr.errors import FocusDetrError

Format = Literal["coco", "mindrecord", "voc", "yolo"]
_LIST_FOLDER = "ImageSets"
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
) -> Annotations:
    """Read COCO json, Pascal VOC or YOLO text annotations, or a packed data set.

    Args:
        source: file or folder, see ``detect_format``.
        image_dir: folder of the pictures; VOC and YOLO find it themselves in the usual layouts, and
            a packed set holds them.
        classes: class map of the model.
        split: which part of a YOLO data.yaml is meant.

    Raises:
        FocusDetrError: no known format, a broken file, data that do not fit ``classes``, or a class
            name with control characters.
    """
    path = Path(source)
    annotations = _read(path, None if image_dir is None else Path(image_dir), classes, split)
    check_readable(annotations.classes.names, path)
    return annotations


def _read(path: Path, folder: Path | None, classes: ClassMap | None, split: Split) -> Annotations:
    if folder is not None and not is_folder(folder):
        raise FocusDetrError(f"image folder {folder} does not exist")
    kind = detect_format(path)
    if kind == "mindrecord":
        return read_mindrecord(path, classes)
    if kind == "voc":
        return read_voc(path, folder, classes)
    if kind == "yolo":
        return read_yolo(path, folder, classes, split)
    file = _json_file(path) if is_folder(path) else path
    return read_coco(file, folder or file.parent, classes)


def detect_format(path: Path) -> Format:
    """The format of what a path points to.

    ==========================================================  ==========
    MindRecord file (``.mindrecord``), or folder with some       MindRecord
    folder with a folder ``Annotations``, or with xml files      VOC
    text file below a folder ``ImageSets``; an xml file          VOC
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
            return "voc" if _LIST_FOLDER in path.absolute().parts else "yolo"
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


def _json_file(folder: Path) -> Path:
    files = files_below(folder, {".json"})
    if len(files) != 1:
        raise FocusDetrError(f"{folder} has {len(files)} json files; name the one to read")
    return folder / files[0]
