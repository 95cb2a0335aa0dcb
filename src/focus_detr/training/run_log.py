"""What a run says while it trains: a line for people, records for programs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any, Protocol, TextIO

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tqdm import tqdm

from focus_detr.files import writing
from focus_detr.inference.image_writing import encode_image

_RGB = 3  # TensorBoard's number for it
_MAIN_PARTS = ("loss_class", "loss_bbox", "loss_giou", "select_loss")  # last layer, foreground


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
        self._sinks = sinks
        self._log_every = max(1, log_every)
        self._recent: deque[StepReport] = deque(maxlen=self._log_every)

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
        """Close the sinks."""
        for sink in self._sinks:
            sink.close()

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


class ConsoleSink:
    """A line per report; with a progress bar when asked for."""

    def __init__(self, stream: TextIO | None = None, progress: bool | None = None) -> None:
        """Choose where to write.

        Args:
            stream: None for standard output.
            progress: whether to draw a bar; None: only if the stream is a terminal.
        """
        self._stream = stream or sys.stdout
        self._progress = self._stream.isatty() if progress is None else progress
        self._bar: Any = None

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write the line and move the bar."""
        self.message(console_line(report, smoothed))
        if self._progress:
            self._move_bar(report, smoothed)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.message(f"epoch {epoch + 1} evaluation  {numbers}")

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """A terminal shows none."""

    def message(self, text: str) -> None:
        """Write a line without tearing the bar."""
        tqdm.write(text, file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Finish the bar."""
        if self._bar is not None:
            self._bar.close()

    def _move_bar(self, report: StepReport, smoothed: Smoothed) -> None:
        if self._bar is None:
            self._bar = tqdm(total=report.total_steps, unit="step", file=self._stream)
        self._bar.update(report.step - self._bar.n)
        self._bar.set_postfix(loss=f"{smoothed.total:.3f}", refresh=False)


class JsonLinesSink:
    """``metrics.jsonl``: one JSON object per line.

    A resumed run appends; of lines with the same step the last counts.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._path = path
        with writing(path):
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8")

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write one line of kind ``train``."""
        numbers = {"loss": report.total, "loss_smoothed": smoothed.total, "lr": report.lr}
        times = _times(smoothed)
        place = {"epoch": report.epoch + 1, "step": report.step}
        norm = {"gradient_norm": report.gradient_norm, **report.scaling()}
        parts = {"parts": dict(report.parts)}
        self._write({"kind": "train", **place, **numbers, **norm, **times, **parts})

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write one line of kind ``evaluation``."""
        place = {"epoch": epoch + 1, "step": step}
        self._write({"kind": "evaluation", **place, "metrics": dict(metrics)})

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Pictures are not for lines of text."""

    def message(self, text: str) -> None:
        """Write one line of kind ``message``."""
        self._write({"kind": "message", "text": text})

    def close(self) -> None:
        """Close the file."""
        with writing(self._path):
            self._file.close()

    def _write(self, record: Mapping[str, object]) -> None:
        with writing(self._path):
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()


def _cut_torn_line(path: Path) -> None:
    """Take away what a kill or a full disk left of a last line."""
    if path.is_file():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


class TensorBoardSink:
    """Scalars and pictures for TensorBoard.

    Written in this thread: ``SummaryWriter`` has one of its own, which dies when the disk is full,
    and then training waits for it without end.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Open the writer.

        Args:
            folder: where the event files go.
            first_step: what an earlier run logged after this step is hidden.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"))
        self._write(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write the losses, rates, norm and times."""
        losses = {"total": report.total, **report.parts}
        scalars = {f"loss/{name}": value for name, value in losses.items()}
        scalars |= {"lr": report.lr, "gradient_norm": report.gradient_norm, **report.scaling()}
        scalars |= {f"lr/{name}": value for name, value in report.own_lrs.items()}
        scalars |= {f"time/{name}": value for name, value in _times(smoothed).items()}
        self._write_scalars(scalars, report.step)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        self._write_scalars({f"evaluation/{name}": v for name, v in metrics.items()}, step)

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Write the pictures, as JPEG."""
        values = []
        for name, picture in pictures.items():
            height, width = picture.shape[:2]
            content = encode_image(picture, ".jpg")
            image = Summary.Image(
                height=height, width=width, colorspace=_RGB, encoded_image_string=content
            )
            values.append(Summary.Value(tag=name, image=image))
        self._write_values(values, step)

    def message(self, text: str) -> None:
        """Sentences are not for plots."""

    def close(self) -> None:
        """Flush and close."""
        with writing(self._folder):
            self._writer.close()

    def _write_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._write_values(values, step)

    def _write_values(self, values: Sequence[Summary.Value], step: int) -> None:
        self._write(Event(step=step, wall_time=time.time(), summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        with writing(self._folder):
            self._writer.write_event(event)
            self._writer.flush()


def console_line(report: StepReport, smoothed: Smoothed) -> str:
    """One step in one line."""
    parts = "  ".join(
        f"{name.removeprefix('loss_').removesuffix('_loss')} {report.parts[name]:.3f}"
        for name in _MAIN_PARTS
        if name in report.parts
    )
    place = f"epoch {report.epoch + 1}  step {report.step}/{report.total_steps}"
    losses = f"loss {report.total:.3f} (mean {smoothed.total:.3f})  {parts}"
    times = f"data {smoothed.data_ms:.0f} ms  step {smoothed.step_ms:.0f} ms"
    if smoothed.split_ms:
        split = ", ".join(f"{work} {taken:.0f}" for work, taken in smoothed.split_ms.items())
        times = f"{times} ({split})"
    rate = f"lr {report.lr:.2e}"
    if report.loss_scale is not None:
        rate = f"{rate}  scale {report.loss_scale:g} (skipped {report.skipped})"
    return f"{place}  {losses}  {rate}  {times}  ETA {duration(smoothed.eta_s)}"


def _times(smoothed: Smoothed) -> dict[str, float]:
    """Milliseconds by the names that files have for them."""
    split = {f"{work}_ms": taken for work, taken in smoothed.split_ms.items()}
    return {"data_ms": smoothed.data_ms, "step_ms": smoothed.step_ms, **split}


def duration(seconds: float) -> str:
    """Days, hours, minutes and seconds: ``1d 02:03:04``, days only if there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{days}d {clock}" if days else clock


def open_run_log(
    folder: Path, log_every: int, first_step: int = 0, progress: bool | None = None
) -> RunLog:
    """Console, ``metrics.jsonl`` and TensorBoard in ``folder``.

    Args:
        folder: of the run; it exists.
        log_every: steps between two reports.
        first_step: updates that an earlier part of the run has done.
        progress: as for ``ConsoleSink``.
    """
    sinks = (
        ConsoleSink(progress=progress),
        JsonLinesSink(folder / "metrics.jsonl"),
        TensorBoardSink(folder / "tensorboard", first_step),
    )
    return RunLog(sinks, log_every)
