"""Signs that a training goes wrong: jumps of the loss, and the batch behind a bad number."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.data.json_fields import ImageId
from focus_detr.distributed.world import SINGLE, World
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_file

WINDOW = 100  # steps that say what is usual
LEAST = 20  # steps before anything counts as unusual
_LONGEST_ID = 40  # letters of an image id in a file's name
MOST_SPIKES = 3  # saved by each worker in a folder: one of a large network has 10 to 100 MB


class SpikeWatch:
    """Compares each loss with the median of the latest ones."""

    def __init__(self, factor: float) -> None:
        """Build the watch.

        Args:
            factor: a loss above so many times the median is a spike; 0: none is.
        """
        self.factor = factor
        self._recent: deque[float] = deque(maxlen=WINDOW)

    def usual(self, total: float) -> float | None:
        """Take in a loss; the median before it if it is a spike, else None."""
        known, middle = len(self._recent), median(self._recent or [math.inf])
        self._recent.append(total)
        spike = self.factor > 0 and known >= LEAST and total > self.factor * middle
        return middle if spike else None


@dataclass(frozen=True)
class BatchFiles:
    """Saves what a worker's steps were fed, for looking at it later."""

    folder: Path  # of the run
    world: World = SINGLE

    def save_bad(self, step: int, batches: Sequence[Batch]) -> str:
        """Save the batches of a step without finite numbers.

        Returns:
            Words that say where they are, or why they could not be saved.
        """
        return self._save(self._path("bad", step, batches), batches)

    def save_spike(self, step: int, batches: Sequence[Batch]) -> str:
        """Save the batches of a step whose loss jumped, of the first ``MOST_SPIKES`` such steps.

        Returns:
            As for ``save_bad``.
        """
        path = self._path("spike", step, batches)
        others = set(self.folder.glob(f"spike_batch_step*{self._worker}_image*.npz")) - {path}
        if len(others) >= MOST_SPIKES:
            return f"the batch is not saved, as {self.folder} has {len(others)} of such steps"
        return self._save(path, batches)

    @property
    def _worker(self) -> str:
        return f"_worker{self.world.rank}" if self.world.size > 1 else ""

    def _path(self, kind: str, step: int, batches: Sequence[Batch]) -> Path:
        image = re.sub(r"[^\w-]", "_", str(batches[0].image_ids[0]))[:_LONGEST_ID]
        return self.folder / f"{kind}_batch_step{step}{self._worker}_image{image}.npz"

    def _save(self, path: Path, batches: Sequence[Batch]) -> str:
        whose = f"worker {self.world.rank}'s" if self.world.size > 1 else "the"
        try:
            save_batch(path, batches)
        except FocusDetrError as error:
            return f"{whose} batch is not saved: {error}"
        return f"{whose} batch is in {path}"


def save_batch(path: Path, batches: Sequence[Batch]) -> None:
    """Write what a step was fed, readable by ``numpy.load``.

    The arrays of the batch fields; of several batches with their number in front (``1/images``).

    Args:
        path: file to write.
        batches: of the step.

    Raises:
        FocusDetrError: it cannot be written.
    """
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **dict(_arrays(batches)))


def _arrays(batches: Sequence[Batch]) -> Iterator[tuple[str, np.ndarray]]:
    for index, batch in enumerate(batches):
        prefix = f"{index}/" if len(batches) > 1 else ""
        for name, value in vars(batch).items():
            yield f"{prefix}{name}", _ids(value) if name == "image_ids" else np.asarray(value)


def _ids(image_ids: Sequence[ImageId | None]) -> np.ndarray:
    """Whole numbers that fit as such, all as texts where one does not; '' for a free place."""
    try:
        return np.array(image_ids, np.int64)
    except (OverflowError, TypeError, ValueError):
        return np.array(["" if number is None else str(number) for number in image_ids])
