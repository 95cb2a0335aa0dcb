"""Curves of runs from their logs: loss and AP over the steps."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from focus_detr.errors import FocusDetrError
from focus_detr.files import write_whole

METRICS_NAME = "metrics.jsonl"
METRICS = ("AP", "AP50", "AP75")
_TRAIN, _EVALUATION = "train", "evaluation"  # kinds of lines
_INSTALL = "pip install matplotlib==3.10.8"


@dataclass(frozen=True)
class RunCurves:
    """What one run logged; all lists in the order of the steps."""

    name: str
    loss: list[tuple[int, float]]  # (step, total loss smoothed over the last steps)
    metrics: dict[str, list[tuple[int, float]]]  # (step, percent) for each of METRICS


def read_runs(folders: Sequence[Path]) -> list[RunCurves]:
    """Read the logs of runs, see ``read_curves``; those of one name are called by their paths."""
    runs = [read_curves(folder) for folder in folders]
    names = [run.name for run in runs]
    return [
        replace(run, name=str(folder)) if names.count(run.name) > 1 else run
        for run, folder in zip(runs, folders, strict=True)
    ]


def read_curves(folder: Path) -> RunCurves:
    """Read the log of a run.

    What was logged after the state that a resumed run went on from is left out, and so is a last
    line that is still being written.

    Args:
        folder: a run's ``train.output_dir``.

    Raises:
        FocusDetrError: no log, or a line of it is not one of ours.
    """
    path = folder / METRICS_NAME
    loss: list[tuple[int, float]] = []
    metrics: dict[str, list[tuple[int, float]]] = {name: [] for name in METRICS}
    for record in _without_undone(_records(path)):
        if record["kind"] == _TRAIN:
            loss.append((record["step"], record["loss_smoothed"]))
        else:
            for name in METRICS:
                metrics[name].append((record["step"], 100 * record["metrics"][name]))
    return RunCurves(folder.resolve().name, loss, metrics)


def _without_undone(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Losses and evaluations in rising order; a later line takes back those from its place on."""
    kept: list[dict[str, Any]] = []
    for record in records:
        if record["kind"] in (_TRAIN, _EVALUATION):
            while kept and _place(kept[-1]) >= _place(record):
                kept.pop()
            kept.append(record)
    return kept


def _place(record: dict[str, Any]) -> tuple[int, bool]:
    return record["step"], record["kind"] == _EVALUATION


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text().splitlines(keepends=True)
    except OSError as error:
        raise FocusDetrError(f"{path} cannot be read: {error.strerror}") from error
    try:
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        missing = [index for index, record in enumerate(records) if "kind" not in record]
    except (ValueError, TypeError) as error:
        raise FocusDetrError(f"{path} is not the log of a run: {error}") from error
    if missing:
        raise FocusDetrError(f"{path} is not the log of a run: line {missing[0] + 1} has no kind")
    return records


def draw_curves(runs: Sequence[RunCurves], path: Path) -> None:
    """Draw loss and AP of the runs beside each other into a PNG file.

    Raises:
        FocusDetrError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # only this command needs it
    except ImportError as error:
        raise FocusDetrError(f"curves need matplotlib: {_INSTALL}") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for index, run in enumerate(runs):
        losses.plot(*zip(*run.loss, strict=True) if run.loss else ([], []), label=run.name)
        for name, style in zip(METRICS, ("-", "--", ":"), strict=True):
            points = run.metrics[name]
            steps, values = zip(*points, strict=True) if points else ((), ())
            label = f"{name} {run.name}" if len(runs) > 1 else name
            scores.plot(steps, values, style, marker="o", color=f"C{index}", label=label)
    losses.set(xlabel="step", ylabel="loss (mean of the last steps)")
    scores.set(xlabel="step", ylabel="percent", ylim=(0, 100))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_whole(path, buffer.getvalue())
