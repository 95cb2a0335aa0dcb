"""Annotations made safe for pycocotools."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from focus_detr.data.annotations import Annotations
from focus_detr.data.formats import read_annotations
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def open_annotations(source: str | Path | Annotations) -> Annotations:
    """What was read, or the annotations of a file or folder, whose pictures may be elsewhere.

    Raises:
        FocusDetrError: as ``read_annotations``.
    """
    if isinstance(source, Annotations):
        return source
    annotations = read_annotations(source, split="val", pictures=False)
    if annotations.unreadable:
        _log.warning(
            "%s: %s not compared, as it cannot be read; the first: %s",
            *(source, counted(len(annotations.unreadable), "image"), annotations.unreadable[0]),
        )
    return annotations


def read_ground_truth(source: str | Path | Annotations) -> dict[str, Any]:
    """Complete what evaluation needs, from a file or folder or from what was read of it.

    Inverted boxes are left out with one warning that counts them; empty ones count as missed, as
    everywhere in COCO numbers. Annotation ids are numbered from 1, since pycocotools takes a match
    with id 0 for no match.

    Args:
        source: annotations, COCO json, or a Pascal VOC or YOLO set in a usual layout.

    Returns:
        ``{"info", "images", "categories", "annotations"}``.

    Raises:
        FocusDetrError: not readable, malformed, or without images.
    """
    annotations = open_annotations(source)
    if not annotations.images:
        raise FocusDetrError(f"{annotations.source} has no images to compare with")
    content = annotations.to_coco()
    return {**content, "annotations": _usable(annotations.source, content["annotations"])}


def _usable(path: str | Path, annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    usable = [annotation for annotation in annotations if min(annotation["bbox"][2:]) >= 0]
    inverted = len(annotations) - len(usable)
    if inverted:
        _log.warning("%s: left out %s", path, counted(inverted, "inverted box"))
    return usable
