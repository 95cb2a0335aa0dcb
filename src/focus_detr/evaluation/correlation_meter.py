"""Corr over a data set, by any number of workers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.collate import BLANK_ID
from focus_detr.distributed.world import World
from focus_detr.evaluation.correlation import Correlation, CorrelationSummary, Spread, correlation

NOTHING = Spread(float("nan"), float("nan"))


class CorrelationMeter:
    """Collects Corr of each image."""

    def __init__(self) -> None:
        self._values: list[list[float]] = []  # of each image, in the order of the fields

    def watch(self, batch: Batch, outputs: Sequence[np.ndarray]) -> None:
        """Measure a batch.

        Args:
            batch: what the detector was given; images that fill it up do not count.
            outputs: of a detector that tells where it looks (``models.detector``): ranked tokens
                [B, K], refined counts [B, layers], attention map [B, N] and validity [B, N] come
                fourth to seventh.
        """
        ranked, refined, attention, valid = outputs[3:7]
        found = np.stack(correlation(attention, ranked, refined[:, 0], valid), axis=1)  # [B, 3]
        real = [image_id is not BLANK_ID for image_id in batch.image_ids]
        self._values += found[real].tolist()

    def summary(self, world: World) -> CorrelationSummary:
        """Mean and spread over the images of all workers; images without attention are left out."""
        payloads = world.gather(json.dumps(self._values).encode())
        rows = [row for payload in payloads for row in json.loads(payload)]
        values = np.array(rows, np.float64).reshape(-1, len(Correlation._fields))
        columns = [column[np.isfinite(column)] for column in values.T]
        return {
            name: Spread(float(column.mean()), float(column.std())) if column.size else NOTHING
            for name, column in zip(Correlation._fields, columns, strict=True)
        }
