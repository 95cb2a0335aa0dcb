"""Annotations made safe for pycocotools."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from focus_detr.checks import is_finite_number
from focus_detr.data.annotations import Annotations
from focus_detr.data.formats import detect_format, read_annotations
from focus_detr.data.picture_files import is_folder
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.boxes import parse_box
from focus_detr.files import read_json
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def read_ground_truth(source: str | Path | Annotations) -> dict[str, Any]:
    """Complete what evaluation needs, from a file or folder or from what was read of it.

    In a COCO json file ``info``, ``iscrowd`` and ``area`` may be missing. Inverted boxes are left
    out with one warning that counts them; empty ones count as missed, as everywhere in COCO
    numbers. Annotation ids are renumbered from 1, since pycocotools takes a match with id 0 for
    no match.

    Args:
        source: annotations, COCO json, or a Pascal VOC or YOLO set in a usual layout.

    Returns:
        ``{"info", "images", "categories", "annotations"}``.

    Raises:
        FocusDetrError: not readable, a key or box is missing or malformed, or an annotation is of
            an image or category that the file does not have.
    """
    if isinstance(source, Annotations):
        content = source.to_coco()
        return {**content, "annotations": _usable(source.source, content["annotations"])}
    path = Path(source)
    if is_folder(path) or detect_format(path) != "coco":
        return read_ground_truth(read_annotations(path, split="val"))
    content = read_json(path)
    _check_sections(path, content)
    known = {
        field: {entry["id"] for entry in content[section]}
        for field, section in (("image_id", "images"), ("category_id", "categories"))
    }
    annotations = [
        _complete(f"{path}: annotation {number}", number, annotation, known)
        for number, annotation in enumerate(content.get("annotations", []), start=1)
    ]
    return {
        "info": content.get("info", {}),
        "images": content["images"],
        "categories": content["categories"],
        "annotations": _usable(path, annotations),
    }


def _check_sections(path: str | Path, content: Any) -> None:
    """Images and categories have to be there, each with a whole id; categories with a name."""
    for section in ("images", "categories"):
        entries = content.get(section) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not entries:
            raise FocusDetrError(f"{path} has no '{section}'; is it a COCO annotation file?")
        for number, entry in enumerate(entries, start=1):
            _check_id(entry, "id", f"{path}: entry {number} of '{section}'")
            if section == "categories" and "name" not in entry:
                raise FocusDetrError(f"{path}: entry {number} of 'categories' has no 'name'")
    if not isinstance(content.get("annotations", []), list):
        raise FocusDetrError(f"{path}: 'annotations' must be a list")


def _check_id(entry: Any, field: str, where: str) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get(field), int):
        raise FocusDetrError(f"{where} has no whole number '{field}'")


def _complete(
    where: str, number: int, annotation: Any, known: dict[str, set[int]]
) -> dict[str, Any]:
    for field, values in known.items():
        _check_id(annotation, field, where)
        if annotation[field] not in values:
            raise FocusDetrError(f"{where}: the file has no {field} {annotation[field]}")
    box = parse_box(annotation.get("bbox"), where)
    area = annotation.get("area", box[2] * box[3])
    if not is_finite_number(area):
        raise FocusDetrError(f"{where}: 'area' must be a finite number, got {area!r}")
    return {
        "id": number,
        "image_id": annotation["image_id"],
        "category_id": annotation["category_id"],
        "bbox": box,
        "area": area,
        "iscrowd": int(bool(annotation.get("iscrowd"))),
    }


def _usable(path: str | Path, annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    usable = [annotation for annotation in annotations if min(annotation["bbox"][2:]) >= 0]
    inverted = len(annotations) - len(usable)
    if inverted:
        _log.warning("%s: left out %s", path, counted(inverted, "inverted box"))
    return usable
