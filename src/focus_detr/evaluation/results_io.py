"""Reading saved detections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from focus_detr.data.json_fields import finite_number, image_id, read_box, whole_number
from focus_detr.data.key_styles import KeyStyles
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import read_json

Detection = dict[str, Any]

_NEEDED = ("image_id", "category_id", "bbox", "score")
_NAMES = ("file_name", "category_name")  # only our own results have them
_STYLES = KeyStyles((*_NEEDED, *_NAMES))


def read_results(path: str | Path) -> list[Detection]:
    """Read saved detections: a JSON list of objects in the COCO results format.

    Raises:
        FocusDetrError: the file cannot be read, is not JSON or is not a list of objects.
    """
    results = read_json(path)
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise FocusDetrError(f"{path} must hold a JSON list of detections, one object each")
    return results


def exact_results(detections: Iterable[Detection], source: str | Path) -> list[Detection]:
    """Check the fields of detections and bring them into one form.

    Args:
        detections: in the COCO results format, with numbers in every form that tools write.
        source: where they come from, for messages.

    Returns:
        ``image_id``, ``category_id``, ``bbox``, ``score``, and the names of both if they are there.

    Raises:
        FocusDetrError: a field is missing or malformed; says of which detection, counted from 1.
    """
    return [
        _exact(detection, f"{source}: detection {number}")
        for number, detection in enumerate(detections, start=1)
    ]


def _exact(written: Detection, where: str) -> Detection:
    detection = _STYLES.plain(written, where)
    for field in _NEEDED:
        if field not in detection:
            raise FocusDetrError(f"{where} has no '{field}'")
    ids: Detection = {
        "image_id": image_id(detection["image_id"]),
        "category_id": whole_number(detection["category_id"]),
    }
    for field, value in ids.items():
        if value is None:
            raise FocusDetrError(
                f"{where}: the annotation file has no {field} {detection[field]!r}"
            )
    score = finite_number(detection["score"])
    if score is None:
        raise FocusDetrError(
            f"{where}: 'score' must be a finite number, got {detection['score']!r}"
        )
    box = list(read_box(detection["bbox"], where))
    if min(box[2:]) < 0:
        raise FocusDetrError(f"{where}: 'bbox' has a negative width or height: {box}")
    names: Detection = {key: detection[key] for key in _NAMES if key in detection}
    return {**ids, "bbox": box, "score": score, **names}
