"""Running a detector over a data set and measuring it."""

from __future__ import annotations

import dataclasses
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from tqdm import tqdm

from focus_detr.data.annotations import Annotations
from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.data.json_fields import ImageId
from focus_detr.distributed.world import SINGLE, World
from focus_detr.evaluation.coco_metrics import USUAL_LIMIT, CocoResult, compare
from focus_detr.evaluation.correlation_meter import CorrelationMeter
from focus_detr.evaluation.gathering import gather_results
from focus_detr.evaluation.ground_truth import open_annotations, read_ground_truth
from focus_detr.evaluation.speed import Speed
from focus_detr.inference.postprocess import EVERYTHING, Detections, Suppression, to_detections
from focus_detr.io.files import write_json
from focus_detr.process.screen import ScreenStream
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

Detector = Callable[[ms.Tensor, ms.Tensor], Sequence[Any]]
Watch = Callable[[Batch, Sequence[np.ndarray]], None]


class Evaluator:
    """COCO metrics and speed of a detector on a loader's images."""

    def __init__(
        self,
        loader: Iterable[Batch],
        detector: Detector,
        category_ids: Sequence[int],
        annotations: str | Path | Annotations,
        batches: int | None = None,
        suppression: Suppression = EVERYTHING,
        world: World = SINGLE,
        watch: Watch | None = None,
        max_detections: int = USUAL_LIMIT,
        correlation: CorrelationMeter | None = None,
    ) -> None:
        """Keep what a run needs.

        Args:
            loader: batches of validation images; image id None marks a filler.
            detector: (images [B, 3, H, W], image_sizes [B, 2]) -> scores [B, R], labels [B, R],
                boxes [B, R, 4] in 0..1 of each image; further outputs are ignored.
            category_ids: COCO category id of each label.
            annotations: ground truth of the loader's images: what was read, or a file or folder.
                Detections of categories that it lacks are left out, with one warning that counts
                them.
            batches: how many the loader gives, for the progress bar.
            suppression: as for ``to_detections``.
            world: the workers that share the images; each has a loader of its own part.
            watch: is shown each batch with all that the detector returned, outside of the times.
            max_detections: as for ``evaluate_detections``.
            correlation: measures Corr too; takes a detector that tells where it looks.

        Raises:
            FocusDetrError: the annotations are malformed.
        """
        self._loader = loader
        self._detector = detector
        self._batches = batches
        self._suppression = suppression
        self._world = world
        self._correlation = correlation
        watchers = (watch, None if correlation is None else correlation.watch)
        self._watchers = [watcher for watcher in watchers if watcher is not None]
        self._max_detections = max_detections
        read = open_annotations(annotations)
        self._truth = read_ground_truth(read)
        self._file_names = {image.image_id: image.name for image in read.images}
        self._class_names = dict(zip(read.classes.category_ids, read.classes.names, strict=True))
        self._source = read.source
        self._categories = {
            label: category
            for label, category in enumerate(category_ids)
            if category in self._class_names
        }

    def run(
        self, progress: bool = True, results_out: str | Path | None = None
    ) -> CocoResult | None:
        """Detect on all images and evaluate.

        Several workers give their detections to the first; the others return None.

        Args:
            progress: show a progress bar.
            results_out: where to save the detections (COCO results), before they are evaluated.

        Raises:
            FocusDetrError: the detector's numbers are not finite, or a file cannot be written.
        """
        detections, speed = self.detect(progress)
        meter = self._correlation
        correlation = None if meter is None else meter.summary(self._world)
        if not self._world.first:
            return None
        if results_out is not None:
            write_json(results_out, detections)
        result = compare(self._truth, detections, max_detections=self._max_detections)
        return dataclasses.replace(result, speed=speed, correlation=correlation)

    def detect(self, progress: bool = True) -> tuple[list[dict[str, Any]], Speed]:
        """Detections of all workers' images in the COCO results format, and where the time went."""
        detections: list[dict[str, Any]] = []
        speed = Speed()
        shapes: set[tuple[int, ...]] = set()
        batches = tqdm(
            self._loader,
            "evaluate",
            self._batches,
            unit="batch",
            disable=not progress,
            file=ScreenStream(sys.stderr),
        )
        for batch, data_seconds in _timed(batches):
            start = time.perf_counter()
            outputs = self._forward(batch)
            model_seconds = time.perf_counter() - start
            detections += self._to_results(batch, outputs[:3])
            post_seconds = time.perf_counter() - start - model_seconds
            images = sum(image_id is not BLANK_ID for image_id in batch.image_ids)
            if batch.images.shape in shapes:
                speed.add(images, data_seconds, model_seconds, post_seconds)
            else:
                shapes.add(batch.images.shape)
                speed.add_warmup(images, model_seconds)
            for watcher in self._watchers:
                watcher(batch, outputs)
        detections, speed = gather_results(self._world, detections, speed)
        return self._known(detections), speed

    def _forward(self, batch: Batch) -> tuple[np.ndarray, ...]:
        """What the detector returns as arrays; copying them waits for the device."""
        outputs = self._detector(ms.Tensor(batch.images), ms.Tensor(batch.image_sizes))
        return tuple(np.asarray(output) for output in outputs)

    def _to_results(self, batch: Batch, outputs: tuple[np.ndarray, ...]) -> list[dict[str, Any]]:
        results = []
        rows = zip(batch.image_ids, batch.original_sizes, *outputs, strict=True)
        for image_id, (height, width), scores, labels, boxes in rows:
            if image_id is not BLANK_ID:
                size = int(height), int(width)
                found = to_detections(scores, labels, boxes, size, self._suppression)
                results += self._to_coco(image_id, found)
        return results

    def _to_coco(self, image_id: ImageId, found: Detections) -> list[dict[str, Any]]:
        corners = found.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        categories = [self._categories.get(int(label)) for label in found.labels]
        return [
            {
                "image_id": image_id,
                "category_id": category,
                "bbox": box,
                "score": score,
                **self._names(image_id, category),  # ids may mean others once the set has changed
            }
            for category, box, score in zip(
                categories, boxes.tolist(), found.scores.tolist(), strict=True
            )
        ]

    def _names(self, image_id: ImageId, category: int | None) -> dict[str, str]:
        """Names of picture and class, as far as the annotations have them."""
        names = {"file_name": self._file_names.get(image_id, "")}
        if category is not None:
            names["category_name"] = self._class_names[category]
        return {key: name for key, name in names.items() if name}

    def _known(self, detections: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Leave out, and count, what the annotation file cannot judge."""
        known = [detection for detection in detections if detection["category_id"] is not None]
        if len(known) < len(detections):
            _log.warning(
                "left out %d of %s: %s does not have their class",
                len(detections) - len(known),
                *(counted(len(detections), "detection"), self._source),
            )
        return known


def _timed(batches: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds that were spent waiting for it."""
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - start
