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
from focus_detr.inference.palette import FIGURE_COLOURS
from focus_detr.io.checks import is_finite_number
from focus_detr.io.files import write_whole
from focus_detr.wording import counted

METRICS_NAME = "metrics.jsonl"
_STYLES = {"AP": "-", "AP50": "--", "AP75": ":"}
METRICS = tuple(_STYLES)
_TRAIN, _EVALUATION = "train", "evaluation"  # kinds of lines
_LOSS = "loss_smoothed"
_ENDING = ".png"
_MARKS = "os^Dvp"  # other numbers of marks than of colours: their pairs repeat late
_INSTALL = "pip install matplotlib==3.10.8"


@dataclass(frozen=True)
class RunCurves:
    """What one run logged; all lists in the order of the steps."""

    name: str
    loss: list[tuple[int, float]]  # (step, total loss smoothed over the last steps)
    metrics: dict[
        str, list[tuple[int, float]]
    ]  # (step, percent) where each of METRICS was measured


@dataclass(frozen=True)
class Group:
    """Runs that share a line, for example one recipe with several seeds."""

    label: str  # in the legend
    runs: list[RunCurves]


def read_groups(
    groups: Sequence[Sequence[Path]], labels: Sequence[str] | None = None
) -> list[Group]:
    """Read the logs of runs, see ``read_curves``.

    Args:
        groups: output folders.
        labels: of the groups; None: each is called as its first run, and runs of one name by their
            paths.

    Raises:
        FocusDetrError: as ``read_curves``, a log has nothing to draw, runs of a group have no step
            in common, or the labels are not as many as the groups.
    """
    if labels is not None and len(labels) != len(groups):
        given, wanted = counted(len(labels), "label"), counted(len(groups), "group")
        raise FocusDetrError(f"{given} for {wanted} of runs")
    runs = [read_curves(folder) for group in groups for folder in group]
    for run, folder in zip(runs, chain.from_iterable(groups), strict=True):
        if not run.loss and not any(run.metrics.values()):
            raise FocusDetrError(f"{folder / METRICS_NAME} has no loss or AP to draw yet")
    names = [run.name for run in runs]
    named = (
        replace(run, name=str(folder)) if names.count(run.name) > 1 else run
        for run, folder in zip(runs, chain.from_iterable(groups), strict=True)
    )
    together = [list(islice(named, len(group))) for group in groups]
    for of_group in together:
        _require_common_steps(of_group)
    called = [runs[0].name for runs in together] if labels is None else labels
    return [
        Group(label + (f", mean of {len(runs)}" if len(runs) > 1 else ""), runs)
        for label, runs in zip(called, together, strict=True)
    ]


def _require_common_steps(runs: Sequence[RunCurves]) -> None:
    """Runs that share a line need steps that all of them have."""
    metrics = ([run.metrics[name] for run in runs] for name in METRICS)
    if not any(map(spread_of, ([run.loss for run in runs], *metrics))):
        names = ", ".join(run.name for run in runs)
        raise FocusDetrError(f"{names} have no step in common and cannot share a line")


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


def draw_curves(groups: Sequence[Group], path: Path, metrics: Sequence[str] = METRICS) -> None:
    """Draw loss and AP of runs beside each other into a PNG file, see ``curves_figure``.

    Raises:
        FocusDetrError: another ending, matplotlib is not installed, or the file cannot be written.
    """
    if path.suffix.lower() != _ENDING:
        raise FocusDetrError(f"{path} must end in {_ENDING}")
    buffer = io.BytesIO()
    curves_figure(groups, metrics).savefig(buffer, format="png", dpi=100)
    write_whole(path, buffer.getvalue())


def curves_figure(groups: Sequence[Group], metrics: Sequence[str] = METRICS) -> Any:
    """A figure with the loss on the left and AP on the right.

    Args:
        groups: the runs of one share a line, which is their mean, and a shade from the lowest to
            the highest.
        metrics: some of METRICS.

    Raises:
        FocusDetrError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # only this command needs it
    except ImportError as error:
        raise FocusDetrError(f"curves need matplotlib: {_INSTALL}") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for index, group in enumerate(groups):
        colour = FIGURE_COLOURS[index % len(FIGURE_COLOURS)]
        _draw_spread(losses, [run.loss for run in group.runs], color=colour, label=group.label)
        look = {"color": colour, "marker": _MARKS[index % len(_MARKS)]}
        for metric in metrics:
            label = f"{metric} {group.label}" if len(groups) > 1 else metric
            curves = [run.metrics[metric] for run in group.runs]
            _draw_spread(scores, curves, linestyle=_STYLES[metric], label=label, **look)
    losses.set(xlabel="step", ylabel="loss (mean of the last steps)")
    scores.set(xlabel="step", ylabel="percent")
    scores.set_ylim(bottom=0)
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    return figure


def _draw_spread(axes: Any, curves: Sequence[Sequence[tuple[int, float]]], **look: Any) -> None:
    spread = spread_of(curves)
    steps, means, lowest, highest = zip(*spread, strict=True) if spread else ((), (), (), ())
    axes.plot(steps, means, **look)
    if lowest != highest:
        axes.fill_between(steps, lowest, highest, color=look["color"], alpha=0.2, linewidth=0)
