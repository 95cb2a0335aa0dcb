"""A job for the benchmarks' worker that holds a known amount of memory, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MIB = 2**20


class HoldingCalls:
    """Calls each of which holds so many MiB more, in turn."""

    def __init__(self, mebibytes: tuple[int, ...]) -> None:
        self.to_hold = list(mebibytes)
        self.held: list[np.ndarray] = []

    def whole(self) -> object:
        """Hold the next; nothing more after the last."""
        size = self.to_hold.pop(0) if self.to_hold else 0
        self.held.append(np.ones(size * MIB, np.uint8))
        return None

    def calls(self) -> dict[str, Callable[[], object]]:
        """The one call there is."""
        return {"whole": self.whole}


@dataclass(frozen=True)
class HoldingJob:
    """A job of such calls."""

    mebibytes: tuple[int, ...]

    def build(self) -> HoldingCalls:
        """The calls."""
        return HoldingCalls(self.mebibytes)

    def as_training(self, part: str) -> HoldingJob:
        """The same."""
        return self

    def wait(self) -> None:
        """Nothing runs on."""
