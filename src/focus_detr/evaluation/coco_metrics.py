"""COCO average precision and recall over boxes, by pycocotools."""

from __future__ import annotations

import contextlib
import io
import logging
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from focus_detr.data.annotations import Annotations, BoxEntry
from focus_detr.data.conventions import check_convention
from focus_detr.data.many_objects import COMPARED, warn_many_objects
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.correlation import CorrelationSummary
from focus_detr.evaluation.ground_truth import open_annotations, read_ground_truth
from focus_detr.evaluation.matching_names import NameMatcher
from focus_detr.evaluation.readings import check_reading
from focus_detr.evaluation.results_io import exact_results
from focus_detr.evaluation.speed import Speed

_log = logging.getLogger(__name__)

_RECALL_LIMITS = (1, 10)  # detections of the first two rows of recall
USUAL_LIMIT = 100  # COCO's, of the third


def metric_names(max_detections: int = USUAL_LIMIT) -> tuple[str, ...]:
    """Names of the twelve numbers in pycocotools' order; ``AR100`` has the limit in its name."""
    limits = (f"AR{limit}" for limit in (*_RECALL_LIMITS, max_detections))
    return ("AP", "AP50", "AP75", "APs", "APm", "APl", *limits, "ARs", "ARm", "ARl")


METRIC_NAMES = metric_names()


@dataclass(frozen=True)
class ClassPrecision:
    """Average precision of one class in 0..1; -1 where the class has no ground truth."""

    ap: float
    ap50: float


@dataclass(frozen=True)
class CocoResult:
    """The twelve COCO numbers in 0..1; -1 where there is no ground truth to measure on."""

    metrics: dict[str, float]  # by ``metric_names``
    per_class: dict[str, ClassPrecision]  # class name -> precision, by category id
    speed: Speed | None = None  # None for saved detections
    correlation: CorrelationSummary | None = None  # None where it was not asked for


def evaluate_detections(
    annotations: str | Path | Annotations,
    detections: list[dict[str, Any]],
    source: str | Path = "the results",
    max_detections: int = USUAL_LIMIT,
) -> CocoResult:
    """Evaluate saved boxes against annotations.

    Args:
        annotations: what ``read_ground_truth`` takes, mostly a COCO json file.
        detections: COCO results: ``image_id``, ``category_id``, ``bbox`` (x, y, w, h in pixels)
            and ``score``; also ``file_name`` and ``category_name``, which must fit the ids. May be
            empty: every metric that has ground truth is then 0.
        source: where the detections come from, for messages.
        max_detections: of a class in an image; the best ones are compared.

    Raises:
        FocusDetrError: a malformed file or detection, an unknown image or category, or boxes in
            another convention.
    """
    read = open_annotations(annotations)
    truth = read_ground_truth(read)
    if all(box.crowd for box in read.boxes):
        _log.warning("AP cannot be measured: %s has no box to find", read.source)
    warn_many_objects(read, {COMPARED: max_detections})
    matched = NameMatcher(read, source).match(exact_results(detections, source))
    check_convention(_as_annotations(matched, read, source), clipped=False)
    check_reading(read, matched, source)
    return _measure(truth, matched, max_detections)


def _as_annotations(
    detections: list[dict[str, Any]], read: Annotations, source: str | Path
) -> Annotations:
    boxes = (
        BoxEntry(found["image_id"], found["category_id"], tuple(found["bbox"]), 0.0)
        for found in detections
    )
    return replace(read, source=Path(source), boxes=tuple(boxes))


def compare(
    truth: dict[str, Any],
    detections: list[dict[str, Any]],
    source: str | Path = "the results",
    max_detections: int = USUAL_LIMIT,
) -> CocoResult:
    """As ``evaluate_detections`` with what ``read_ground_truth`` returned, by ids alone."""
    exact = exact_results(detections, source)
    known = _numbers(truth["images"]), _numbers(truth["categories"])
    for number, detection in enumerate(exact, start=1):
        for field, ids in zip(("image_id", "category_id"), known, strict=True):
            if detection[field] not in ids:
                where = f"{source}: detection {number}"
                raise FocusDetrError(
                    f"{where}: the annotation file has no {field} {detection[field]!r}"
                )
    return _measure(truth, exact, max_detections)


def _measure(
    truth: dict[str, Any], detections: list[dict[str, Any]], max_detections: int
) -> CocoResult:
    truth = _renumbered(truth)
    boxes = [
        {**entry, "id": number, "area": entry["bbox"][2] * entry["bbox"][3], "iscrowd": 0}
        for number, entry in enumerate(_with_numbers(detections, truth), start=1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        found = _index({**truth, "annotations": boxes})
        evaluation = COCOeval(_index(truth), found, iouType="bbox")
        evaluation.params.maxDets = [*_RECALL_LIMITS, max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    metrics = dict(zip(metric_names(max_detections), _summary(evaluation), strict=True))
    return CocoResult(metrics, _per_class(evaluation, truth["categories"]))


def _renumbered(truth: dict[str, Any]) -> dict[str, Any]:
    """The same with ids from 1: pycocotools puts them into arrays, which hold few of all numbers.

    Categories keep their order. What the ids were is under ``was``.
    """
    images = [{**image, "was": image["id"]} for image in truth["images"]]
    ordered = sorted(truth["categories"], key=itemgetter("id"))
    categories = [{**category, "was": category["id"]} for category in ordered]
    for entries in (images, categories):
        for number, entry in enumerate(entries, start=1):
            entry["id"] = number
    numbered = {**truth, "images": images, "categories": categories}
    return {**numbered, "annotations": _with_numbers(truth["annotations"], numbered)}


def _with_numbers(entries: list[dict[str, Any]], truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Annotations or detections with the numbers that ``_renumbered`` gave."""
    images = {entry["was"]: entry["id"] for entry in truth["images"]}
    categories = {entry["was"]: entry["id"] for entry in truth["categories"]}
    return [
        {
            **entry,
            "image_id": images[entry["image_id"]],
            "category_id": categories[entry["category_id"]],
        }
        for entry in entries
    ]


def _numbers(entries: list[dict[str, Any]]) -> set[Any]:
    return {entry["id"] for entry in entries}


def _index(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _summary(evaluation: COCOeval) -> list[float]:
    """The twelve numbers; pycocotools' own sum-up knows no other limit than 100."""
    precision = evaluation.eval["precision"]  # [IoU, recall, class, area range, max detections]
    recall = evaluation.eval["recall"]  # [IoU, class, area range, max detections]
    thresholds = evaluation.params.iouThrs
    half, three_quarters = (int(np.argmin(np.abs(thresholds - at))) for at in (0.5, 0.75))
    return [
        _mean(precision[..., 0, -1]),
        _mean(precision[half, ..., 0, -1]),
        _mean(precision[three_quarters, ..., 0, -1]),
        *(_mean(precision[..., area, -1]) for area in (1, 2, 3)),
        *(_mean(recall[..., 0, limit]) for limit in (0, 1, 2)),
        *(_mean(recall[..., area, -1]) for area in (1, 2, 3)),
    ]


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
        category["id"]: name if names.count(name) == 1 else f"{name} ({category['was']})"
        for category, name in zip(categories, names, strict=True)
    }
