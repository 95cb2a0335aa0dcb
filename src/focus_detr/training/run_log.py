"""What a run says while it trains, and where that goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class StepReport:
    """One step in numbers."""

    epoch: int  # from 0
    step: int  # updates done, this one included
    total_steps: int
    total: float
    parts: Mapping[str, float]  # weighted losses by name
    lr: float
    gradient_norm: float  # before clipping
    data_ms: float
    step_ms: float
    own_lrs: Mapping[str, float] = field(default_factory=dict)  # of weights that do not follow lr
    split_ms: Mapping[str, float] = field(default_factory=dict)  # parts of step_ms, on a CPU
    loss_scale: float | None = None  # None: the loss is not scaled
    skipped: int = 0  # updates left out so far, because a scaled gradient was too large

    def scaling(self) -> dict[str, float]:
        """Loss scale and skipped updates by name; nothing if the loss is not scaled."""
        if self.loss_scale is None:
            return {}
        return {"loss_scale": self.loss_scale, "skipped_steps": self.skipped}


@dataclass(frozen=True)
class Smoothed:
    """Means over the latest steps, and the time that is left."""

    total: float
    data_ms: float
    step_ms: float
    eta_s: float
    split_ms: Mapping[str, float] = field(default_factory=dict)

    def times(self) -> dict[str, float]:
        """Milliseconds by the names that files have for them."""
        split = {f"{work}_ms": taken for work, taken in self.split_ms.items()}
        return {"data_ms": self.data_ms, "step_ms": self.step_ms, **split}


class Sink(Protocol):
    """Something that reports go to."""

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """One step that is due for logging."""

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics after an epoch."""

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Pictures by name, [h, w, 3] uint8 RGB."""

    def message(self, text: str) -> None:
        """A sentence."""

    def close(self) -> None:
        """Nothing more will come."""


class RunLog:
    """Smooths the numbers and passes them on; with no sinks it is silent."""

    def __init__(self, sinks: Sequence[Sink], log_every: int) -> None:
        """Build the log.

        Args:
            sinks: where to report.
            log_every: steps between two reports, and the number of steps that are averaged.
        """
        self._sinks = list(sinks)
        self._log_every = max(1, log_every)
        self._recent: deque[StepReport] = deque(maxlen=self._log_every)

    def add(self, sink: Sink) -> None:
        """Report there as well."""
        self._sinks.append(sink)

    def step(self, report: StepReport) -> None:
        """Take in a step; every ``log_every``-th one and the last are reported."""
        self._recent.append(report)
        if report.step % self._log_every == 0 or report.step == report.total_steps:
            smoothed = self._smooth(report)
            for sink in self._sinks:
                sink.step(report, smoothed)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Report metrics after ``epoch`` (from 0)."""
        for sink in self._sinks:
            sink.evaluation(epoch, step, metrics)

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Show pictures ([h, w, 3] uint8 RGB, by name) as they are after ``step`` updates."""
        for sink in self._sinks:
            sink.pictures(step, pictures)

    def message(self, text: str) -> None:
        """Report a sentence."""
        for sink in self._sinks:
            sink.message(text)

    def close(self) -> None:
        """Close the sinks, each whatever becomes of the others."""
        with ExitStack() as sinks:
            for sink in self._sinks:
                sinks.callback(sink.close)

    def _smooth(self, report: StepReport) -> Smoothed:
        data_ms = fmean(r.data_ms for r in self._recent)
        step_ms = fmean(r.step_ms for r in self._recent)
        # the median: a step that compiles takes a hundred times longer
        usual_ms = median(r.data_ms + r.step_ms for r in self._recent)
        eta_s = (report.total_steps - report.step) * usual_ms / 1000
        split_ms = {
            work: fmean(r.split_ms.get(work, 0.0) for r in self._recent) for work in report.split_ms
        }
        return Smoothed(fmean(r.total for r in self._recent), data_ms, step_ms, eta_s, split_ms)
