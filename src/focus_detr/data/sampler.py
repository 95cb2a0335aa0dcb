"""Which images go into which batch, as a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

BLANK = -1  # index of a slot without image
_ORDER_STREAM = 1  # keeps the order's random numbers apart from those of the transforms


class BatchSampler(Protocol):
    """Splits the images of an epoch into batches."""

    def together(self, groups: Sequence[Hashable], epoch: int) -> list[tuple[int, ...]]:
        """The batches of all ranks together, in order; ``groups[i]`` is image i's shape bucket."""

    def own(self, together: tuple[int, ...]) -> tuple[int, ...]:
        """What this rank loads of a batch of all ranks."""


@dataclass(frozen=True)
class TrainSampler:
    """Shuffled batches of one group each; every image at most once an epoch.

    What is left over of the groups is batched together at random places, and only the last images
    that fill no batch of all ranks are dropped. All ranks get equally many batches. Because the
    order is a function of (seed, epoch), a run resumes by skipping the batches it has seen.
    """

    batch_size: int  # of one rank
    seed: int
    rank: int = 0
    world_size: int = 1

    def together(self, groups: Sequence[Hashable], epoch: int) -> list[tuple[int, ...]]:
        """``len(groups) // (batch_size * world_size)`` batches of indices."""
        random = np.random.default_rng((self.seed, epoch, _ORDER_STREAM))
        order = random.permutation(len(groups))
        step = self.batch_size * self.world_size
        full: list[list[int]] = []
        rest: list[int] = []
        for members in _by_group(order, groups):
            whole = len(members) // step * step
            full += _chunks(members[:whole], step)
            rest += members[whole:]
        full += _chunks(rest[: len(rest) // step * step], step)
        shuffled = [full[position] for position in random.permutation(len(full))]
        return [tuple(chunk) for chunk in shuffled]

    def own(self, together: tuple[int, ...]) -> tuple[int, ...]:
        """Every ``world_size``-th image."""
        return together[self.rank :: self.world_size]


@dataclass(frozen=True)
class EvalSampler:
    """Every image exactly once over all ranks; slots that stay free are ``BLANK``."""

    batch_size: int  # of one rank
    rank: int = 0
    world_size: int = 1

    def together(self, groups: Sequence[Hashable], epoch: int) -> list[tuple[int, ...]]:
        """Batches of one group each, all of one size."""
        step = self.batch_size * self.world_size
        chunks: list[list[int]] = []
        for members in _by_group(range(len(groups)), groups):
            chunks += _chunks(members, step)
        return [tuple(chunk + [BLANK] * (step - len(chunk))) for chunk in chunks]

    def own(self, together: tuple[int, ...]) -> tuple[int, ...]:
        """Every ``world_size``-th image."""
        return together[self.rank :: self.world_size]


def _by_group(order: Iterable[int], groups: Sequence[Hashable]) -> list[list[int]]:
    """Indices of each group in the given order, groups in order of first appearance."""
    members: dict[Hashable, list[int]] = {}
    for index in order:
        members.setdefault(groups[index], []).append(int(index))
    return list(members.values())


def _chunks(values: list[int], size: int) -> list[list[int]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
