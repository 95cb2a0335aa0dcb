"""From what the detector returns for an image to boxes in pixels of its file."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from focus_detr.errors import FocusDetrError


@dataclass(frozen=True)
class Suppression:
    """What stays of an image's detections."""

    overlap_limit: float | None = None  # for ``Detections.without_overlaps``; None: no comparison
    most: int | None = None  # the best ones of what is left then; None: all


EVERYTHING = Suppression()


@dataclass(frozen=True)
class Detections:
    """Detections of one image, best first."""

    boxes: np.ndarray  # [D, 4] float32, x1 y1 x2 y2 in pixels of the file
    scores: np.ndarray  # [D] float32, 0..1
    labels: np.ndarray  # [D] int, contiguous class index

    def above(self, threshold: float) -> Detections:
        """The detections whose score is at least ``threshold``."""
        return self._select(self.scores >= threshold)

    def without_overlaps(self, limit: float) -> Detections:
        """Drop what overlaps a better detection of its class by more than an IoU of ``limit``."""
        sides = np.concatenate([self.boxes[:, :2], self.boxes[:, 2:] - self.boxes[:, :2]], axis=1)
        everything = -1.0  # a score below all
        kept = cv2.dnn.NMSBoxesBatched(
            sides.tolist(), self.scores.tolist(), self.labels.tolist(), everything, limit
        )
        return self._select(np.sort(np.array(kept, np.int64)))

    def after(self, suppression: Suppression) -> Detections:
        """The best ones of those that do not overlap too much."""
        limit = suppression.overlap_limit
        left = self if limit is None else self.without_overlaps(limit)
        return left._select(np.s_[: suppression.most])

    def _select(self, keep: np.ndarray | slice) -> Detections:
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


def to_detections(
    scores: np.ndarray,
    labels: np.ndarray,
    boxes: np.ndarray,
    size: tuple[int, int],
    suppression: Suppression = EVERYTHING,
) -> Detections:
    """Map one image's rows to its file, clip them, drop fillers and boxes without area.

    Args:
        scores: [R]; a negative score marks a filler row.
        labels: [R].
        boxes: [R, 4] x1 y1 x2 y2 in 0..1 of the image's own size.
        size: (height, width) of the file in pixels.
        suppression: says which of the others stay.

    Raises:
        FocusDetrError: a score or box is not finite, as from a diverged checkpoint.
    """
    _refuse_if_not_finite(scores, boxes)
    height, width = size
    extent = np.array([width, height, width, height], np.float32)
    pixels = np.clip(boxes.astype(np.float32) * extent, 0, extent)
    return select_detections(scores, labels, pixels, suppression)


def select_detections(
    scores: np.ndarray,
    labels: np.ndarray,
    pixels: np.ndarray,
    suppression: Suppression = EVERYTHING,
) -> Detections:
    """Drop fillers and boxes without area, best first.

    Args:
        scores: [R]; a negative score marks a filler row.
        labels: [R].
        pixels: [R, 4] x1 y1 x2 y2, clipped to the file.
        suppression: says which of the others stay.

    Raises:
        FocusDetrError: a score or box is not finite, as from a diverged checkpoint.
    """
    _refuse_if_not_finite(scores, pixels)
    sides = pixels[:, 2:] - pixels[:, :2]
    keep = (scores >= 0) & (sides > 0).all(axis=1)
    order = np.argsort(-scores[keep], kind="stable")
    found = Detections(pixels[keep][order], scores[keep][order], labels[keep][order])
    return found.after(suppression)


def _refuse_if_not_finite(scores: np.ndarray, boxes: np.ndarray) -> None:
    if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
        raise FocusDetrError(
            "the detector returned scores or boxes that are not finite numbers; "
            "the checkpoint is broken or its training diverged"
        )
