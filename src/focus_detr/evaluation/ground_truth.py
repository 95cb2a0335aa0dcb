"""COCO annotation files made safe for pycocotools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.boxes import parse_box
from focus_detr.files import read_json


def read_ground_truth(path: str | Path) -> dict[str, Any]:
    """Read a COCO annotation file and complete what evaluation needs.

    ``info``, ``iscrowd`` and ``area`` may be missing. Annotation ids are renumbered from 1, since
    pycocotools takes a match with id 0 for no match.

    Returns:
        ``{"info", "images", "categories", "annotations"}``.

    Raises:
        FocusDetrError: not readable, or a key or box is missing or malformed.
    """
    content = read_json(path)
    _check_sections(path, content)
    annotations = [
        _complete(path, number, annotation)
        for number, annotation in enumerate(content.get("annotations", []), start=1)
    ]
    return {
        "info": content.get("info", {}),
        "images": content["images"],
        "categories": content["categories"],
        "annotations": annotations,
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


def _complete(path: str | Path, number: int, annotation: Any) -> dict[str, Any]:
    where = f"{path}: annotation {number}"
    for field in ("image_id", "category_id"):
        _check_id(annotation, field, where)
    box = parse_box(annotation.get("bbox"), where)
    area = annotation.get("area", box[2] * box[3])
    if not isinstance(area, (int, float)):
        raise FocusDetrError(f"{where}: 'area' must be a number, got {area!r}")
    return {
        "id": number,
        "image_id": annotation["image_id"],
        "category_id": annotation["category_id"],
        "bbox": box,
        "area": area,
        "iscrowd": annotation.get("iscrowd", 0),
    }
