"""COCO average precision and recall over boxes, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from focus_detr.checks import is_finite_number
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.boxes import parse_box
from focus_detr.evaluation.ground_truth import read_ground_truth
from focus_detr.evaluation.speed import Speed

METRIC_NAMES = (
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
)  # in pycocotools' order


@dataclass(frozen=True)
class ClassPrecision:
    """Average precision of one class in 0..1; -1 where the class has no ground truth."""

    ap: float
    ap50: float


@dataclass(frozen=True)
class CocoResult:
    """The twelve COCO numbers in 0..1; -1 where there is no ground truth to measure on."""

    metrics: dict[str, float]  # METRIC_NAMES
    per_class: dict[str, ClassPrecision]  # class name -> precision, by category id
    speed: Speed | None = None  # None for saved detections


def evaluate_detections(
    annotations_path: str | Path,
    detections: list[dict[str, Any]],
    source: str | Path = "the results",
) -> CocoResult:
    """Evaluate boxes against annotations.

    Args:
        annotations_path: what ``read_ground_truth`` takes, mostly a COCO json file.
        detections: COCO results: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h in pixels)
            and ``score``. May be empty: every metric that has ground truth is then 0.
        source: where the detections come from, for messages.

    Raises:
        FocusDetrError: a malformed file or detection, an unknown image or category.
    """
    return compare(read_ground_truth(annotations_path), detections, source)


def compare(
    truth: dict[str, Any], detections: list[dict[str, Any]], source: str | Path = "the results"
) -> CocoResult:
    """As ``evaluate_detections``, with what ``read_ground_truth`` returned."""
    found = {**truth, "annotations": _check_detections(truth, detections, source)}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_index(truth), _index(found), iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = dict(zip(METRIC_NAMES, map(float, evaluation.stats), strict=True))
    return CocoResult(metrics, _per_class(evaluation, truth["categories"]))


def _index(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _check_detections(
    truth: dict[str, Any], detections: list[dict[str, Any]], source: str | Path
) -> list[dict[str, Any]]:
    images = {image["id"] for image in truth["images"]}
    categories = {category["id"] for category in truth["categories"]}
    return [
        {
            **_check_detection(f"{source}: detection {number}", detection, images, categories),
            "id": number,
        }
        for number, detection in enumerate(detections, start=1)
    ]


def _check_detection(
    where: str, detection: dict[str, Any], images: set[int], categories: set[int]
) -> dict[str, Any]:
    for field in ("image_id", "category_id", "bbox", "score"):
        if field not in detection:
            raise FocusDetrError(f"{where} has no '{field}'")
    for field, known in (("image_id", images), ("category_id", categories)):
        value = detection[field]
        if not isinstance(value, int) or value not in known:
            raise FocusDetrError(f"{where}: the annotation file has no {field} {value!r}")
    score = detection["score"]
    if not is_finite_number(score):
        raise FocusDetrError(f"{where}: 'score' must be a finite number, got {score!r}")
    box = parse_box(detection["bbox"], where)
    if min(box[2:]) < 0:
        raise FocusDetrError(f"{where}: 'bbox' has a negative width or height: {box}")
    return {**detection, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


def _per_class(evaluation: COCOeval, categories: list[dict[str, Any]]) -> dict[str, ClassPrecision]:
    precision = evaluation.eval["precision"]  # [IoU, recall, class, area range, max detections]
    names = _unique_names(categories)
    half = int(np.argmin(np.abs(evaluation.params.iouThrs - 0.5)))
    return {
        names[category_id]: ClassPrecision(
            ap=_mean(precision[:, :, index, 0, -1]),
            ap50=_mean(precision[half, :, index, 0, -1]),
        )
        for index, category_id in enumerate(evaluation.params.catIds)
    }


def _mean(precision: np.ndarray) -> float:
    measured = precision[precision > -1]
    return float(measured.mean()) if measured.size else -1.0


def _unique_names(categories: list[dict[str, Any]]) -> dict[int, str]:
    """Category id -> name; names that occur twice carry their id."""
    names = [str(category["name"]) for category in categories]
    return {
        category["id"]: name if names.count(name) == 1 else f"{name} ({category['id']})"
        for category, name in zip(categories, names, strict=True)
    }
