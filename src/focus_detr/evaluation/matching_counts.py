"""How many queries lie on each object: those whose matching score passes a threshold.

The score is that of the gathering decoder's one-to-many matching (``losses.one_to_many``), of the
last layer that detects. DAC-DETR's figure of it shows what gathering does to the queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from focus_detr.config.schema import Config
from focus_detr.data.batch import Batch
from focus_detr.data.build import build_eval_loader
from focus_detr.data.collate import BLANK_ID
from focus_detr.errors import FocusDetrError
from focus_detr.inference.loading import load_detector
from focus_detr.losses.one_to_many import OneToManyMatcher
from focus_detr.models.detr import DETR

THRESHOLDS = (0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True)
class MatchingCounts:
    """Over all objects of a data set; a list has an item for each threshold."""

    thresholds: tuple[float, ...]
    objects: int
    queries_per_object: tuple[float, ...]
    objects_without: tuple[float, ...]  # share of the objects that no query lies on


class MatchingScores(nn.Cell):
    """Score of every query for every object.

    Args:
        model: that detects.
        matcher: whose score it is.
    """

    def __init__(self, model: DETR, matcher: OneToManyMatcher) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        self.matcher = matcher

    def construct(
        self, images: Tensor, image_sizes: Tensor, boxes: Tensor, labels: Tensor, valid: Tensor
    ) -> Tensor:
        """Of the last layer: [B, T, Q], -1 for padding; the arguments are as in ``data.batch``."""
        outputs = self.model(images, image_sizes)
        logits, found = outputs["decoded"]["logits"][-1], outputs["decoded"]["boxes"][-1]
        # [1, B, T, Q] of one layer
        score = self.matcher.scores(logits[None], found[None], labels, boxes, valid)[0]
        real = outputs["queries"]["real"][:, None, :] > 0.5  # [B, 1, Q]
        return ops.select(ops.broadcast_to(real, score.shape), score, ops.full_like(score, -1.0))


def tally(scores: Iterable[np.ndarray], thresholds: Sequence[float]) -> MatchingCounts:
    """Count.

    Args:
        scores: [objects, Q] of each batch.
        thresholds: that a score has to exceed.

    Raises:
        FocusDetrError: there is no object.
    """
    limits = np.array(thresholds)
    counts = [(batch[:, :, None] > limits).sum(1) for batch in scores]  # [objects, thresholds]
    of_objects = np.concatenate(counts) if counts else np.zeros((0, len(limits)))
    if not len(of_objects):
        raise FocusDetrError("no picture of the validation set has an object to count queries for")
    return MatchingCounts(
        tuple(thresholds),
        len(of_objects),
        tuple(of_objects.mean(0).tolist()),
        tuple((of_objects == 0).mean(0).tolist()),
    )


def count_matching(
    config: Config, checkpoint: str | Path, thresholds: Sequence[float] = THRESHOLDS
) -> MatchingCounts:
    """Count the queries on each object of the validation set.

    Args:
        config: all settings; ``loss.one_to_many.class_share`` and ``eval.batch_size`` count.
        checkpoint: weights.
        thresholds: that a score has to exceed.

    Raises:
        FocusDetrError: a bad threshold, checkpoint or data, or there is no object.
    """
    if not all(0 <= threshold <= 1 for threshold in thresholds):
        given = ", ".join(map(str, thresholds))
        raise FocusDetrError(f"thresholds of the matching score are {given}, expected 0 to 1 each")
    loaded = load_detector(checkpoint, config.model)
    matcher = OneToManyMatcher(
        class_share=config.loss.one_to_many.class_share, iou_epsilon=config.loss.giou_epsilon
    )
    cell = MatchingScores(loaded.cell.model, matcher).set_train(False)
    loader = build_eval_loader(config, batch_size=config.eval.batch_size, classes=loaded.classes)
    return tally((_of_objects(cell, batch) for batch in loader.epoch(0)), thresholds)


def _of_objects(cell: MatchingScores, batch: Batch) -> np.ndarray:
    """Scores of a batch's objects: [objects, Q]."""
    arrays = (batch.images, batch.image_sizes, batch.boxes, batch.labels, batch.box_valid)
    scores = cell(*map(ms.Tensor, arrays)).asnumpy()  # [B, T, Q]
    is_picture = np.array([image_id is not BLANK_ID for image_id in batch.image_ids])
    return scores[(batch.box_valid > 0) & is_picture[:, None]]
