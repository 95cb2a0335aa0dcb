"""How fast a loader delivers images, what each part of that costs, and how much memory it holds."""

from __future__ import annotations

import cProfile
import os
import pstats
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from focus_detr.data.batch import Batch
from focus_detr.data.collate import collate
from focus_detr.data.image_io import decode_image, read_bytes
from focus_detr.data.loader import DataLoader
from focus_detr.data.resampling import resize_bilinear_antialiased
from focus_detr.data.transforms import apply_plan

SAMPLES = 10  # of the memory, over a run
_MIB = 2**20


@dataclass(frozen=True)
class Delivery:
    """One run of the loader."""

    workers: int
    images: int
    seconds: float
    cpu_seconds: float  # of all threads together
    resident_mib: tuple[float, ...]  # after each of ``SAMPLES`` equal parts of the run

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds


def deliver(loader: DataLoader, workers: int, images: int) -> Delivery:
    """Load at least ``images`` images as fast as it goes, epoch after epoch from the start."""
    loaded, resident = 0, []
    start, cpu_start = time.perf_counter(), time.process_time()
    for batch in _endless(replace(loader, workers=workers)):
        loaded += len(batch.image_ids)
        while loaded * SAMPLES >= images * (len(resident) + 1):
            resident.append(_resident_mib())
        if loaded >= images:
            break
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return Delivery(workers, loaded, seconds, cpu_seconds, tuple(resident[:SAMPLES]))


def time_parts(loader: DataLoader, images: int) -> dict[str, float]:
    """Milliseconds per image of each part, without threads; files come from the system's cache."""
    profile = cProfile.Profile()
    profile.enable()
    loaded = deliver(loader, 0, images).images
    profile.disable()
    seconds = _Seconds(pstats.Stats(profile))
    resized = seconds.within(resize_bilinear_antialiased)
    parts = {
        "read": seconds.within(read_bytes),
        "decode": seconds.within(decode_image),
        "augment": seconds.within(apply_plan) - resized,
        "resize": resized,
        "pad and normalise": seconds.within(collate),
    }
    whole = seconds.within(deliver)
    parts |= {"rest": whole - sum(parts.values()), "whole": whole}
    return {name: 1e3 * spent / loaded for name, spent in parts.items()}


class _Seconds:
    """What a profile says about functions of ours."""

    def __init__(self, stats: pstats.Stats) -> None:
        # (file, line, name) -> (calls, calls, own seconds, seconds with callees, callers)
        self._stats = stats.stats  # type: ignore[attr-defined]

    def within(self, function: Callable[..., object]) -> float:
        """Seconds in a function and what it calls; 0 if it was not called."""
        code = function.__code__
        key = (code.co_filename, code.co_firstlineno, code.co_name)
        return self._stats[key][3] if key in self._stats else 0.0


def _endless(loader: DataLoader) -> Iterator[Batch]:
    for epoch in count():
        yield from loader.epoch(epoch)


def _resident_mib() -> float:
    """Memory of this process now; where there is no /proc, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there, else KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MIB
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
