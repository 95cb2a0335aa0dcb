"""Curves are what the log says."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.inference.palette import FIGURE_COLOURS
from focus_detr.training.curves import (
    METRICS,
    Group,
    RunCurves,
    curves_figure,
    draw_curves,
    read_curves,
    read_groups,
    spread_of,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The log of a run with two logged steps and one evaluation."""
    folder = tmp_path / "cells"
    folder.mkdir()
    metrics = {"AP": 0.25, "AP50": 0.5, "AP75": 0.125}
    records = [
        {"kind": "message", "text": "starting"},
        {"kind": "train", "step": 10, "loss": 9.0, "loss_smoothed": 8.0},
        {"kind": "train", "step": 20, "loss": 3.0, "loss_smoothed": 4.0},
        {"kind": "evaluation", "epoch": 1, "step": 20, "metrics": metrics},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


def test_steps_losses_and_percentages_are_read(run: Path) -> None:
    curves = read_curves(run)
    assert curves.name == "cells"
    assert curves.loss == [(10, 8.0), (20, 4.0)]
    assert curves.metrics == {"AP": [(20, 25.0)], "AP50": [(20, 50.0)], "AP75": [(20, 12.5)]}


def _group(*folders: Path) -> Group:
    return Group("cells", [read_curves(folder) for folder in folders])


def _train(step: int, loss: float) -> dict[str, object]:
    return {"kind": "train", "step": step, "loss_smoothed": loss}


def _evaluation(step: int, score: float) -> dict[str, object]:
    return {"kind": "evaluation", "step": step, "metrics": dict.fromkeys(METRICS, score)}


def test_what_could_not_be_measured_is_no_point(run: Path) -> None:
    lines = [_evaluation(10, -1.0), _evaluation(20, 0.0)]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert read_curves(run).metrics == {name: [(20, 0.0)] for name in METRICS}


def test_a_resumed_run_takes_back_what_it_does_again(run: Path) -> None:
    before = [_train(10, 9.0), _evaluation(10, 0.1), _train(20, 8.0), _evaluation(20, 0.2)]
    again = [_train(15, 7.0), _train(20, 6.0)]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in before + again))
    curves = read_curves(run)
    assert curves.loss == [(10, 9.0), (15, 7.0), (20, 6.0)]
    assert curves.metrics["AP"] == [(10, 10.0)]


def test_a_line_that_is_being_written_is_left_out(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 30, "lo')
    assert [step for step, _ in read_curves(run).loss] == [10, 20]


def test_runs_of_one_name_are_told_apart(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "second" / run.name)
    shutil.copytree(run, tmp_path / "third")
    folders = [run, tmp_path / "second" / run.name, tmp_path / "third"]
    first, second = read_groups([folders[:2], folders[2:]])
    assert [curves.name for curves in first.runs] == [str(folders[0]), str(folders[1])]
    assert [curves.name for curves in second.runs] == ["third"]


def test_a_group_has_the_mean_and_the_range_at_its_common_steps() -> None:
    curves = [[(10, 1.0), (20, 4.0), (30, 9.0)], [(10, 3.0), (20, 5.0)], [(20, 9.0), (10, 2.0)]]
    assert spread_of(curves) == [(10, 2.0, 1.0, 3.0), (20, 6.0, 4.0, 9.0)]
    assert spread_of(curves[:1]) == [(10, 1.0, 1.0, 1.0), (20, 4.0, 4.0, 4.0), (30, 9.0, 9.0, 9.0)]


def test_a_group_is_called_as_its_first_run_or_by_its_label(run: Path, tmp_path: Path) -> None:
    again, trees = (shutil.copytree(run, tmp_path / name) for name in ("cells_1", "trees"))
    folders = [[run, again], [trees]]
    assert [group.label for group in read_groups(folders)] == ["cells, mean of 2", "trees"]
    labelled = read_groups(folders, ["plain", "both"])
    assert [group.label for group in labelled] == ["plain, mean of 2", "both"]
    with pytest.raises(FocusDetrError, match=r"^1 label for 2 groups of runs$"):
        read_groups(folders, ["plain"])


def test_runs_without_a_common_step_cannot_share_a_line(run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    (other / "metrics.jsonl").write_text(json.dumps(_train(11, 1.0)) + "\n")
    assert [group.label for group in read_groups([[run], [other]])] == ["cells", "other"]
    with pytest.raises(FocusDetrError, match=r"^cells, other have no step in common"):
        read_groups([[run, other]])


def _seeds(label: str, *scores: tuple[float, float]) -> Group:
    """Runs that were evaluated half way and at the end, with that AP in percent."""
    found = [{name: [(10, half), (20, end)] for name in METRICS} for half, end in scores]
    return Group(label, [RunCurves(label, [(20, 5.0)], metrics) for metrics in found])


def test_each_group_has_a_line_of_means_and_a_band_from_the_lowest_to_the_highest() -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    plain = _seeds("plain", (20.0, 30.0), (22.0, 33.0), (24.0, 42.0))
    both = _seeds("both", (25.0, 40.0), (27.0, 41.0), (32.0, 45.0))
    scores = curves_figure([plain, both], ["AP"]).axes[1]
    drawn = [line.get_xydata().tolist() for line in scores.lines]
    assert drawn == [[[10, 22], [20, 35]], [[10, 28], [20, 42]]]
    for band, (low, high) in zip(scores.collections, ((20, 42), (25, 45)), strict=True):
        (extent,) = band.get_paths()
        assert (extent.vertices.min(0).tolist(), extent.vertices.max(0).tolist()) == (
            [10, low],
            [20, high],
        )
    labels = [text.get_text() for text in scores.get_legend().get_texts()]
    assert labels == ["AP plain", "AP both"]
    assert scores.get_ylim()[0] == 0 and 45 <= scores.get_ylim()[1] < 50


def test_groups_differ_in_colour_and_in_mark() -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    groups = [_seeds(str(number), (1.0, 2.0)) for number in range(10)]
    lines = curves_figure(groups, ["AP50"]).axes[1].lines
    assert lines[0].get_color() == FIGURE_COLOURS[0]
    assert len({line.get_color() for line in lines[:7]}) == 7
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 10


def test_runs_are_drawn_into_a_picture(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    path = tmp_path / "curves.png"
    draw_curves([_group(run), _group(run, run)], path)
    picture = cv2.imread(str(path))
    assert picture.shape == (400, 1000, 3)
    assert picture.std() > 5


def test_a_group_that_varies_is_shaded(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    curves = read_curves(run)
    worse = replace(curves, loss=[(step, loss + 9) for step, loss in curves.loss])
    draw_curves([Group("same", [curves, curves])], tmp_path / "same.png")
    draw_curves([Group("same", [curves, worse])], tmp_path / "varied.png")
    inked = [np.mean(cv2.imread(str(tmp_path / name)) < 250) for name in ("same.png", "varied.png")]
    assert inked[1] > inked[0] + 0.02


def test_a_run_without_evaluations_is_drawn(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    (run / "metrics.jsonl").write_text('{"kind": "message", "text": "starting"}\n')
    draw_curves([_group(run)], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()


INCOMPLETE = (
    '{"kind": "train"}\n',
    '{"kind": "train", "step": 1}\n',
    '{"kind": "evaluation", "step": 1, "metrics": {"AP": 0.5}}\n',
    '{"kind": "evaluation", "step": 1, "metrics": 5}\n',
)


@pytest.mark.parametrize("text", ["not json\n", "[]\n", "{}\n", "3\n", "\ufffd\n", *INCOMPLETE])
def test_another_file_is_refused(run: Path, text: str) -> None:
    (run / "metrics.jsonl").write_text(text)
    with pytest.raises(FocusDetrError, match=r"metrics\.jsonl is not the log of a run"):
        read_curves(run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss_smoothed": "a"}, "'loss_smoothed' must be a finite number, not 'a'"),
        ({"loss_smoothed": None}, "'loss_smoothed' must be a finite number, not None"),
        ({"loss_smoothed": float("inf")}, "'loss_smoothed' must be a finite number, not inf"),
        ({"step": "20"}, "'step' must be a finite number, not '20'"),
        ({"step": 2.5}, "'step' must be a whole number, not 2.5"),
        ({"kind": "evaluation", "metrics": [1]}, r"'metrics' must be an object, not \[1\]"),
        (
            {"kind": "evaluation", "metrics": {"AP": 0.5, "AP50": "b"}},
            "'AP50' must be a finite number, not 'b'",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    run: Path, changes: dict[str, object], said: str
) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({**_train(30, 1.0), **changes}) + "\n")
    with pytest.raises(FocusDetrError, match=rf"metrics\.jsonl is not .* a run: line 5: {said}$"):
        read_curves(run)


def test_a_log_without_a_point_is_not_drawn(run: Path) -> None:
    for record in ({"kind": "message", "text": "starting"}, _evaluation(9, -1.0)):
        (run / "metrics.jsonl").write_text(json.dumps(record) + "\n")
        with pytest.raises(FocusDetrError, match=r"cells.metrics\.jsonl has no loss or AP to draw"):
            read_groups([[run]])


@pytest.mark.parametrize("name", ["curves.jpg", "curves", "curves.png.gz"])
def test_another_ending_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(FocusDetrError, match=rf"{name} must end in \.png$"):
        draw_curves([_group(run)], tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"metrics\.jsonl cannot be read"):
        read_curves(tmp_path)


def test_without_matplotlib_one_sentence_tells_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(FocusDetrError, match="pip install matplotlib"):
        draw_curves([_group(run)], tmp_path / "curves.png")
