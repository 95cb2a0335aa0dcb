"""Batches of a dataset, epoch by epoch."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.broken import BrokenImages
from focus_detr.data.buckets import ShapeBuckets, fit_size
from focus_detr.data.collate import LoadedImage, blank_image, collate
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.image_io import decode_image, read_bytes
from focus_detr.data.prefetch import map_in_order
from focus_detr.data.sampler import BLANK, BatchSampler
from focus_detr.data.target_padding import target_capacity
from focus_detr.data.transforms import AnnotatedImage, TransformPlan, apply_plan, draw_epoch
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


class Policy(Protocol):
    """Decides what happens to an image, see ``transforms``."""

    def plan(self, height: int, width: int, draws: np.ndarray) -> TransformPlan:
        """Plan for an image of this size in pixels from uniform numbers [n] in 0..1."""


@dataclass(frozen=True)
class DataLoader:
    """Loads the batches of an epoch in threads.

    Order and content depend on the seed and the epoch alone, not on the number of workers. The
    padding of a batch depends on the images that all ranks load for the step, so the ranks compile
    the same graphs and an image is padded as one rank with the whole batch would pad it. After
    each epoch one warning counts the images that had to shrink to a bucket and the boxes beyond
    the largest target bucket. With ``skip_broken`` a blank image takes the place of one that
    cannot be read, which is counted too.
    """

    dataset: DetectionDataset
    policy: Policy
    sampler: BatchSampler
    buckets: ShapeBuckets
    target_buckets: tuple[int, ...]
    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]
    seed: int = 0
    workers: int = 2
    skip_broken: bool = False

    def __len__(self) -> int:
        """Batches per epoch on this rank."""
        return self._steps

    @cached_property
    def _steps(self) -> int:
        return len(self._index_batches(self._plans(0), 0))

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from batch ``start`` on; closing it early is fine.

        Raises:
            FocusDetrError: an image cannot be read or contradicts its annotation; with
                ``skip_broken`` only if these are more than half. Or the memory is full.
        """
        if self.workers > 0:
            cv2.setNumThreads(0)  # the workers are the threads; nested ones would only contend
        plans = self._plans(epoch)
        batches = self._index_batches(plans, epoch)[start:]
        counts: Counter[str] = Counter()
        broken = BrokenImages(self.skip_broken)
        loaded = map_in_order(
            lambda together: self._load_or_say(together, plans, broken), batches, self.workers
        )
        try:
            for batch, notes in loaded:
                counts += notes
                yield batch
            if start == 0:  # the rest of an epoch may be a few images
                broken.check_share()
        finally:
            loaded.close()
            _warn(counts, epoch)
            broken.warn(epoch)

    def _plans(self, epoch: int) -> list[TransformPlan]:
        records = self.dataset.records
        draws = draw_epoch(self.seed, epoch, len(records))
        return [
            self.policy.plan(record.height, record.width, row)
            for record, row in zip(records, draws, strict=True)
        ]

    def _index_batches(self, plans: Sequence[TransformPlan], epoch: int) -> list[tuple[int, ...]]:
        groups = [self.buckets.bucket_for(*plan.size) for plan in plans]
        return self.sampler.together(groups, epoch)

    def _load_or_say(
        self, together: tuple[int, ...], plans: Sequence[TransformPlan], broken: BrokenImages
    ) -> tuple[Batch, Counter[str]]:
        try:
            return self._load(together, plans, broken)
        except MemoryError as error:
            chosen = self.sampler.own(together)
            names = ", ".join(str(self.dataset.records[i].path) for i in chosen if i != BLANK)
            raise FocusDetrError(
                f"not enough memory to load {names}; fewer data.workers need less"
            ) from error

    def _load(
        self, together: tuple[int, ...], plans: Sequence[TransformPlan], broken: BrokenImages
    ) -> tuple[Batch, Counter[str]]:
        """Make this rank's part of a batch, and count what was not as it should be."""
        images = [i for i in together if i != BLANK]
        bucket = self.buckets.bucket_for_all([plans[i].size for i in images])
        boxes = [len(self.dataset.records[i].boxes) for i in images]
        capacity = target_capacity(boxes, self.target_buckets)
        chosen = self.sampler.own(together)
        items = [
            blank_image(bucket) if i == BLANK else self._guarded(i, plans[i], bucket, broken)
            for i in chosen
        ]
        batch, dropped = collate(items, bucket, capacity, self.pixel_mean, self.pixel_std)
        shrunk = sum(fit_size(plans[i].size, bucket) != plans[i].size for i in chosen if i != BLANK)
        return batch, Counter(shrunk=shrunk, dropped=dropped)

    def _guarded(
        self, index: int, plan: TransformPlan, bucket: tuple[int, int], broken: BrokenImages
    ) -> LoadedImage:
        return broken.guard(lambda: self._load_image(index, plan, bucket), bucket)

    def _load_image(self, index: int, plan: TransformPlan, bucket: tuple[int, int]) -> LoadedImage:
        record = self.dataset.records[index]
        original_size = (record.height, record.width)
        content = record.stored.read() if record.stored else read_bytes(record.path)
        image = decode_image(content, record.path, original_size)
        item = AnnotatedImage(image, record.boxes, record.labels)
        fitted = replace(plan, size=fit_size(plan.size, bucket))
        return LoadedImage(apply_plan(item, fitted), record.image_id, original_size)


def _warn(counts: Counter[str], epoch: int) -> None:
    if counts["shrunk"]:
        images = counted(counts["shrunk"], "image")
        _log.warning("epoch %d: shrunk %s to fit a shape bucket", epoch, images)
    if counts["dropped"]:
        _log.warning(
            "epoch %d: dropped %s beyond the largest target bucket, smallest first",
            *(epoch, counted(counts["dropped"], "box")),
        )
