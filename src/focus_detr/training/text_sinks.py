"""What a run says, as lines for people: in a terminal and in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tqdm import tqdm

from focus_detr.process.screen import ScreenStream
from focus_detr.training.line_file import LineFile
from focus_detr.training.run_log import Smoothed, StepReport
from focus_detr.wording import percent

_MAIN_PARTS = ("loss_class", "loss_bbox", "loss_giou", "select_loss")  # last layer, foreground


class ConsoleSink:
    """A line per report; with a progress bar when asked for."""

    def __init__(self, stream: TextIO | None = None, progress: bool | None = None) -> None:
        """Choose where to write.

        Args:
            stream: None for standard output.
            progress: whether to draw a bar; None: only if the stream is a terminal.
        """
        self._stream = ScreenStream(stream or sys.stdout)
        self._progress = self._stream.isatty() if progress is None else progress
        self._bar: Any = None

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write the line and move the bar."""
        self.message(step_line(report, smoothed))
        if self._progress:
            self._move_bar(report, smoothed)

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        self.message(evaluation_line(epoch, metrics))

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
            # what an earlier part of the run did took none of this one's time
            total, before = report.total_steps, report.step
            self._bar = tqdm(total=total, initial=before, unit="step", file=self._stream)
        self._bar.update(report.step - self._bar.n)
        self._bar.set_postfix(loss=f"{smoothed.total:.3f}", refresh=False)


class LogFileSink:
    """``log.txt``: the lines of the terminal with date and time; a resumed run appends."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Raises:
            FocusDetrError: it cannot be written; as from every other method.
        """
        self._file = LineFile(path)

    def step(self, report: StepReport, smoothed: Smoothed) -> None:
        """Write the line."""
        self.message(step_line(report, smoothed))

    def evaluation(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics."""
        self.message(evaluation_line(epoch, metrics))

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Pictures are not for lines of text."""

    def message(self, text: str) -> None:
        """Write a sentence."""
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def step_line(report: StepReport, smoothed: Smoothed) -> str:
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


def evaluation_line(epoch: int, metrics: Mapping[str, float]) -> str:
    """The metrics after ``epoch`` (from 0) in one line, as ``eval.py`` prints them."""
    numbers = "  ".join(f"{name} {percent(value)}" for name, value in metrics.items())
    return f"epoch {epoch + 1} evaluation, percent  {numbers}"


def duration(seconds: float) -> str:
    """Days, hours, minutes and seconds: ``1d 02:03:04``, days only if there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{days}d {clock}" if days else clock
