"""A worker whose companions say what a test wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focus_detr.distributed.world import World


@dataclass(frozen=True)
class ToldWorld(World):
    """One of several workers; the others are made up."""

    size: int = 2
    wish: bool = False  # another worker's flag
    said: bytes = b""  # another worker's payload
    numbers: float = 0.0  # every number of the other worker

    def mean(self, values: np.ndarray) -> np.ndarray:
        return (values + self.numbers) / np.float32(2)

    def any(self, flag: bool) -> bool:
        return flag or self.wish

    def gather(self, payload: bytes) -> list[bytes]:
        return [payload, self.said] if self.first else [self.said, payload]
