"""Signs that a training goes wrong: jumps of the loss, and the batch behind a bad number."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from focus_detr.data.batch import Batch
from focus_detr.files import whole_file

WINDOW = 100  # steps that say what is usual
LEAST = 20  # steps before anything counts as unusual


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


def save_batch(folder: Path, step: int, batches: Sequence[Batch]) -> Path:
    """Write what a step was fed, for looking at it later.

    The arrays of the batch fields; of several batches with their number in front (``1/images``).

    Args:
        folder: of the run.
        step: number of the step, for the name; so is the first image.
        batches: of the step.

    Returns:
        The file, readable by ``numpy.load``.

    Raises:
        FocusDetrError: it cannot be written.
    """
    path = folder / f"bad_batch_step{step}_image{batches[0].image_ids[0]}.npz"
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **dict(_arrays(batches)))
    return path


def _arrays(batches: Sequence[Batch]) -> Iterator[tuple[str, np.ndarray]]:
    for index, batch in enumerate(batches):
        prefix = f"{index}/" if len(batches) > 1 else ""
        for name, value in vars(batch).items():
            yield f"{prefix}{name}", np.asarray(value)
