"""Curves of runs from their logs: loss and AP over the steps."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_finite_number
from focus_detr.io.files import write_whole

METRICS_NAME = "metrics.jsonl"
METRICS = ("AP", "AP50", "AP75")
_TRAIN, _EVALUATION = "train", "evaluation"  # kinds of lines
_LOSS = "loss_smoothed"
_ENDING = ".png"
_INSTALL = "pip install matplotlib==3.10.8"


@dataclass(frozen=True)
class RunCurves:
    """What one run logged; all lists in the order of the steps."""

    name: str
    loss: list[tuple[int, float]]  # (step, total loss smoothed over the last steps)
    metrics: dict[
        str, list[tuple[int, float]]
    ]  # (step, percent) where each of METRICS was measured


def read_groups(groups: Sequence[Sequence[Path]]) -> list[list[RunCurves]]:
    """Read the logs of runs, see ``read_curves``; those of one name are called by their paths.

    Raises:
        FocusDetrError: as ``read_curves``, or a log has nothing to draw.
    """
    runs = [read_curves(folder) for group in groups for folder in group]
    for run, folder in zip(runs, chain.from_iterable(groups), strict=True):
        if not run.loss and not any(run.metrics.values()):
            raise FocusDetrError(f"{folder / METRICS_NAME} has no loss or AP to draw yet")
    names = [run.name for run in runs]
    named = (
        replace(run, name=str(folder)) if names.count(run.name) > 1 else run
        for run, folder in zip(runs, chain.from_iterable(groups), strict=True)
    )
    return [list(islice(named, len(group))) for group in groups]


def read_curves(folder: Path) -> RunCurves:
    """Read the log of a run.

    What was logged after the state that a resumed run went on from is left out, and so is a last
    line that is still being written.

    Args:
        folder: a run's ``train.output_dir``.

    Raises:
        FocusDetrError: no log, or a line of it is not one of ours.
    """
    loss: list[tuple[int, float]] = []
    metrics: dict[str, list[tuple[int, float]]] = {name: [] for name in METRICS}
    for record in _without_undone(_records(folder / METRICS_NAME)):
        if record.evaluation:
            for name, value in record.values.items():
                if value >= 0:
                    metrics[name].append((record.step, 100 * value))
        else:
            loss.append((record.step, record.values[_LOSS]))
    return RunCurves(folder.resolve().name, loss, metrics)


@dataclass(frozen=True)
class _Record:
    """A line of the log about a step's losses or an evaluation."""

    step: int
    evaluation: bool
    values: dict[str, float]  # the smoothed loss, or each of METRICS


def _without_undone(records: Sequence[_Record]) -> list[_Record]:
    """Losses and evaluations in rising order; a later line takes back those from its place on."""
    kept: list[_Record] = []
    for record in records:
        while kept and _place(kept[-1]) >= _place(record):
            kept.pop()
        kept.append(record)
    return kept


def _place(record: _Record) -> tuple[int, bool]:
    return record.step, record.evaluation


def _records(path: Path) -> list[_Record]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError as error:
        raise FocusDetrError(f"{path} cannot be read: {error.strerror}") from error
    whole = (line for line in lines if line.endswith("\n"))
    records = (
        _parse(line, f"{path} is not the log of a run: line {number}")
        for number, line in enumerate(whole, start=1)
    )
    return [record for record in records if record is not None]


def _parse(line: str, where: str) -> _Record | None:
    """What a line holds; None if it is of another kind."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FocusDetrError(f"{where} is not JSON: {error}") from error
    if not isinstance(content, dict) or "kind" not in content:
        raise FocusDetrError(f"{where} has no kind")
    if content["kind"] not in (_TRAIN, _EVALUATION):
        return None
    step = _number(content, "step", where)
    if not isinstance(step, int):
        raise FocusDetrError(f"{where}: 'step' must be a whole number, not {step!r}")
    if content["kind"] == _TRAIN:
        return _Record(step, False, {_LOSS: _number(content, _LOSS, where)})
    metrics = content.get("metrics")
    if not isinstance(metrics, dict):
        raise FocusDetrError(f"{where}: 'metrics' must be an object, not {metrics!r}")
    return _Record(step, True, {name: _number(metrics, name, where) for name in METRICS})


def _number(content: Mapping[str, Any], key: str, where: str) -> float:
    value = content.get(key)
    if not is_finite_number(value):
        raise FocusDetrError(f"{where}: '{key}' must be a finite number, not {value!r}")
    return cast(float, value)


Spread = list[tuple[int, float, float, float]]  # (step, mean, lowest, highest) over the runs


def spread_of(curves: Sequence[Sequence[tuple[int, float]]]) -> Spread:
    """Mean, lowest and highest of several curves at the steps that all of them have."""
    by_step = [dict(curve) for curve in curves]
    common = sorted(set.intersection(*(set(points) for points in by_step)))
    columns = [(step, [points[step] for points in by_step]) for step in common]
    return [(step, sum(values) / len(values), min(values), max(values)) for step, values in columns]


def group_name(runs: Sequence[RunCurves]) -> str:
    """What a group is called in the legend: as its first run."""
    return runs[0].name + (f", mean of {len(runs)}" if len(runs) > 1 else "")


def draw_curves(groups: Sequence[Sequence[RunCurves]], path: Path) -> None:
    """Draw loss and AP of runs beside each other into a PNG file.

    Args:
        groups: the runs of a group, for example one recipe with several seeds, share a line, which
            is their mean, and a shade from the lowest to the highest.
        path: the file to write.

    Raises:
        FocusDetrError: another ending, matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() != _ENDING:
        raise FocusDetrError(f"{path} must end in {_ENDING}")
    try:
        from matplotlib.figure import Figure  # only this command needs it
    except ImportError as error:
        raise FocusDetrError(f"curves need matplotlib: {_INSTALL}") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for index, runs in enumerate(groups):
        name, colour = group_name(runs), f"C{index}"
        _draw_spread(losses, spread_of([run.loss for run in runs]), color=colour, label=name)
        for metric, style in zip(METRICS, ("-", "--", ":"), strict=True):
            label = f"{metric} {name}" if len(groups) > 1 else metric
            spread = spread_of([run.metrics[metric] for run in runs])
            look = {"linestyle": style, "marker": "o", "color": colour, "label": label}
            _draw_spread(scores, spread, **look)
    losses.set(xlabel="step", ylabel="loss (mean of the last steps)")
    scores.set(xlabel="step", ylabel="percent", ylim=(0, 100))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    write_whole(path, buffer.getvalue())


def _draw_spread(axes: Any, spread: Spread, **look: Any) -> None:
    steps, means, lowest, highest = zip(*spread, strict=True) if spread else ((), (), (), ())
    axes.plot(steps, means, **look)
    if lowest != highest:
        axes.fill_between(steps, lowest, highest, color=look["color"], alpha=0.2, linewidth=0)
