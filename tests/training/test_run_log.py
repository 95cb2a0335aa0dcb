"""Lines, records and scalars of a run."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from focus_detr.data.image_io import decode_image
from focus_detr.errors import FocusDetrError
from focus_detr.training.run_log import (
    ConsoleSink,
    JsonLinesSink,
    RunLog,
    StepReport,
    TensorBoardSink,
    duration,
)


def _report(step: int, total: float = 1.0) -> StepReport:
    return StepReport(
        epoch=1,
        step=step,
        total_steps=100,
        total=total,
        parts={"loss_class": 0.25, "loss_class_0": 0.5, "select_loss": 0.125},
        lr=1e-4,
        gradient_norm=3.0,
        data_ms=10.0 * step,
        step_ms=1000.0,
    )


def _events(folder: Path) -> Iterator[Event]:
    """Events of all files; records carry length, crc, data, crc."""
    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            data, content = content[12 : 12 + length], content[16 + length :]
            yield Event.FromString(data)


def _scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Values by tag and step."""
    scalars: dict[str, dict[int, float]] = {}
    for event in _events(folder):
        for value in event.summary.value:
            scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return scalars


def test_the_line_has_the_numbers_averaged_since_the_last_one() -> None:
    stream = io.StringIO()
    log = RunLog([ConsoleSink(stream)], log_every=2)
    log.step(_report(9, total=8.0))
    log.step(_report(10, total=6.0))
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


def _split_report(step: int, forward_ms: float) -> StepReport:
    split = {"forward": forward_ms, "update": 20.0}
    return replace(_report(step), split_ms=split, loss_scale=1024.0, skipped=3)


def test_the_split_of_the_time_and_the_loss_scale_are_in_all_logs(tmp_path: Path) -> None:
    stream = io.StringIO()
    jsonl, tensorboard = tmp_path / "metrics.jsonl", tmp_path / "tensorboard"
    sinks = [ConsoleSink(stream), JsonLinesSink(jsonl), TensorBoardSink(tensorboard)]
    log = RunLog(sinks, log_every=2)
    for step, forward_ms in ((9, 100.0), (10, 300.0)):
        log.step(_split_report(step, forward_ms))
    log.close()
    assert "scale 1024 (skipped 3)" in stream.getvalue()
    assert "step 1000 ms (forward 200, update 20)" in stream.getvalue()
    record = json.loads(jsonl.read_text())
    scalars = {tag: values[10] for tag, values in _scalars(tensorboard).items()}
    for name, value in (("forward_ms", 200.0), ("update_ms", 20.0)):
        assert record[name] == scalars[f"time/{name}"] == value
    for name, value in (("loss_scale", 1024.0), ("skipped_steps", 3)):
        assert record[name] == scalars[name] == value


def test_the_last_step_is_always_reported() -> None:
    stream = io.StringIO()
    log = RunLog([ConsoleSink(stream)], log_every=30)
    for step in range(1, 101):
        log.step(_report(step))
    assert re.findall(r"step (\d+)/", stream.getvalue()) == ["30", "60", "90", "100"]


def test_the_bar_appears_only_when_asked_for() -> None:
    for progress, bars in ((True, True), (False, False), (None, False)):
        stream = io.StringIO()
        log = RunLog([ConsoleSink(stream, progress)], log_every=1)
        log.step(_report(50))
        log.close()
        assert ("50/100 [" in stream.getvalue()) is bars


def test_records_are_appended_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in (1, 2):
        log = RunLog([JsonLinesSink(path)], log_every=1)
        log.step(_report(step))
        log.evaluation(1, step, {"AP": 0.5})
        log.message("half way")
        log.close()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [r["kind"] for r in records] == ["train", "evaluation", "message"] * 2
    assert records[3]["step"] == 2
    assert records[3]["epoch"] == 2
    assert records[3]["parts"]["loss_class_0"] == 0.5
    assert records[3]["data_ms"] == 20.0
    assert records[4]["metrics"] == {"AP": 0.5}


def test_a_torn_line_of_a_killed_run_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for torn in ('{"ki', ""):
        path.write_text('{"kind": "first"}\n' + torn)
        log = RunLog([JsonLinesSink(path)], log_every=1)
        log.message("on")
        log.close()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines == [{"kind": "first"}, {"kind": "message", "text": "on"}]


def test_scalars_reach_tensorboard(tmp_path: Path) -> None:
    log = RunLog([TensorBoardSink(tmp_path)], log_every=1)
    log.step(replace(_report(3, total=7.5), own_lrs={"backbone": 0.25}))
    log.evaluation(0, 3, {"AP": 0.25})
    log.close()
    scalars = _scalars(tmp_path)
    assert scalars["loss/total"] == {3: 7.5}
    assert scalars["loss/loss_class_0"] == {3: 0.5}
    assert scalars["evaluation/AP"] == {3: 0.25}
    assert scalars["time/step_ms"] == {3: 1000.0}
    assert scalars["lr"] == {3: pytest.approx(1e-4)}
    assert scalars["lr/backbone"] == {3: 0.25}


def test_pictures_reach_tensorboard_in_their_colours(tmp_path: Path) -> None:
    picture = np.full((30, 40, 3), (200, 100, 20), np.uint8)
    jsonl, board, stream = tmp_path / "metrics.jsonl", tmp_path / "board", io.StringIO()
    sinks = [ConsoleSink(stream), JsonLinesSink(jsonl), TensorBoardSink(board)]
    log = RunLog(sinks, log_every=1)
    log.pictures(7, {"detections/5": picture})
    log.close()
    ((step, value),) = [(e.step, v) for e in _events(board) for v in e.summary.value]
    assert (step, value.tag) == (7, "detections/5")
    assert (value.image.height, value.image.width, value.image.colorspace) == (30, 40, 3)
    read = decode_image(value.image.encoded_image_string, "picture", (30, 40))
    np.testing.assert_allclose(read, picture, atol=4)
    assert stream.getvalue() == jsonl.read_text() == ""


def test_a_resumed_run_hides_what_was_logged_after_its_start(tmp_path: Path) -> None:
    TensorBoardSink(tmp_path, first_step=7).close()
    starts = [e.step for e in _events(tmp_path) if e.session_log.status == SessionLog.START]
    assert starts == [7]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    path.symlink_to("/dev/full")
    log = RunLog([JsonLinesSink(path)], log_every=1)
    for act in (lambda: log.step(_report(1)), log.close):
        with pytest.raises(
            FocusDetrError, match=r"cannot write .*jsonl: no space left on the disk"
        ):
            act()
    full = open("/dev/full", "wb")  # noqa: SIM115  (the writer closes it)
    monkeypatch.setattr("tensorboardX.record_writer.open_file", lambda path: full)
    with pytest.raises(FocusDetrError, match=r"cannot write .*board: no space left on the disk"):
        TensorBoardSink(tmp_path / "board")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "00:00:00"), (3723, "01:02:03"), (90061, "1d 01:01:01")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
