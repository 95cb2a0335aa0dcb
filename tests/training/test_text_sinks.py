"""Lines for people."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from gone_reader import unread_stream
from step_reports import step_report

from focus_detr.training.run_log import RunLog
from focus_detr.training.text_sinks import ConsoleSink, LogFileSink, duration


def test_the_line_has_the_numbers_averaged_since_the_last_one() -> None:
    stream = io.StringIO()
    log = RunLog([ConsoleSink(stream)], log_every=2)
    log.step(step_report(9, total=8.0))
    log.step(step_report(10, total=6.0))
    line = stream.getvalue()
    assert line.count("\n") == 1
    for piece in (
        "epoch 2  step 10/100",
        "loss 6.000 (mean 7.000)",
        "class 0.250  select 0.125",
        "lr 1.00e-04",
        "data 95 ms  step 1000 ms",
        f"ETA {duration(90 * 1.095)}",
    ):
        assert piece in line
    assert "class_0" not in line


def test_the_bar_appears_only_when_asked_for() -> None:
    for progress, bars in ((True, True), (False, False), (None, False)):
        stream = io.StringIO()
        log = RunLog([ConsoleSink(stream, progress)], log_every=1)
        log.step(step_report(50))
        log.close()
        assert ("50/100 [" in stream.getvalue()) is bars


def test_without_a_reader_the_other_sinks_go_on(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with unread_stream() as stream:
        log = RunLog([ConsoleSink(stream, progress=True), LogFileSink(path)], log_every=1)
        for step in (1, 2):
            log.step(step_report(step))
        log.close()
    assert len(path.read_text().splitlines()) == 2


def test_the_file_has_the_lines_of_the_terminal_with_their_time(tmp_path: Path) -> None:
    path, stream = tmp_path / "log.txt", io.StringIO()
    for step in (1, 2):
        log = RunLog([ConsoleSink(stream, progress=False), LogFileSink(path)], log_every=1)
        log.message("going on")
        log.step(step_report(step))
        log.evaluation(1, step, {"AP": 0.5, "APs": -1.0})
        log.close()
    lines, shown = path.read_text().splitlines(), stream.getvalue().splitlines()
    assert len(lines) == 6
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", line) for line in lines] == shown
    assert shown[2] == "epoch 2 evaluation, percent  AP 50.0  APs -"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "00:00:00"), (3723, "01:02:03"), (90061, "1d 01:01:01")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
