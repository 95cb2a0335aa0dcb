"""Measurements of variants, taken in turns so that a busy machine slows both alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from model_worker import Job, Worker

from focus_detr.config.schema import Config
from focus_detr.io.files import write_json

COCO_CLASSES = 80  # where the settings leave the number to the data
FOCUS = "focus"
DENSE = "dense"


@dataclass
class Timing:
    """Seconds of every run per part, what the first call of each process took, and kernels."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    first_seconds: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    kernels: dict[str, dict[str, int]] = field(default_factory=dict)  # launched, by kind

    def best(self, part: str) -> float:
        """Shortest run."""
        return min(self.seconds[part])

    def middle(self, part: str) -> float:
        """Median run."""
        return median(self.seconds[part])


def variants(config: Config) -> dict[str, Config]:
    """The model as configured, and the same with an encoder that refines all tokens."""
    encoder = config.model.encoder
    dense = replace(encoder, keep_ratio=1.0, cascade=(1.0,) * encoder.layers)
    return {
        FOCUS: config,
        DENSE: replace(config, model=replace(config.model, encoder=dense)),
    }


def measure(works: Mapping[str, Job], name: str, repeat: int, timings: dict[str, Timing]) -> None:
    """Time every part of the variants ``repeat`` times and add the results to ``timings``.

    Args:
        works: what to run per variant, held in memory together; all have the same parts.
        name: of the call that is compiled first, whose peak memory and kernels count.
        repeat: timed runs after the compilation.
        timings: per variant.
    """
    with ExitStack() as stack:
        workers = {variant: stack.enter_context(Worker()) for variant in works}
        parts: tuple[str, ...] = ()
        for variant, work in works.items():
            started = workers[variant].start(work)
            parts = started.parts
            timings[variant].first_seconds[name] = started.first_seconds
            timings[variant].peak_bytes[name] = started.peak_bytes
        for _ in range(repeat):
            for part in parts:
                for variant, worker in workers.items():
                    seconds = timings[variant].seconds.setdefault(part, [])
                    seconds.append(worker.seconds(part))
        for variant, worker in workers.items():
            timings[variant].kernels[name] = worker.kernels(name)


def measure_training(
    works: Mapping[str, Job], parts: Iterable[str], repeat: int, timings: dict[str, Timing]
) -> None:
    """Training steps, one process at a time: a step takes gigabytes.

    Args:
        works: as for ``measure``.
        parts: which of ``TRAINING_PARTS``.
        repeat: timed runs after the compilation.
        timings: per variant.
    """
    for part in parts:
        for variant, work in works.items():
            measure({variant: work.as_training(part)}, part, repeat, timings)


def save(path: str | None, timings: Mapping[str, Timing], about: Mapping[str, Any]) -> None:
    """Write every number so far, each single run included; nothing without a path."""
    if path is not None:
        measured = {variant: asdict(timing) for variant, timing in timings.items()}
        write_json(path, {**about, "measured": measured}, indent=1)
