"""What a run says is averaged and reaches all logs."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from event_files import scalars_of
from step_reports import step_report

from focus_detr.errors import FocusDetrError
from focus_detr.training.line_file import refuse_second_writer
from focus_detr.training.metrics_file import JsonLinesSink
from focus_detr.training.run_log import RunLog, StepReport
from focus_detr.training.tensorboard import TensorBoardSink
from focus_detr.training.text_sinks import ConsoleSink, LogFileSink


def test_the_last_step_is_always_reported() -> None:
    stream = io.StringIO()
    log = RunLog([ConsoleSink(stream)], log_every=30)
    for step in range(1, 101):
        log.step(step_report(step))
    assert re.findall(r"step (\d+)/", stream.getvalue()) == ["30", "60", "90", "100"]


class _Failing(ConsoleSink):
    def close(self) -> None:
        raise FocusDetrError("no space left")


def test_all_logs_are_closed_though_one_fails(tmp_path: Path) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    log = RunLog([LogFileSink(first), _Failing(), LogFileSink(last)], log_every=1)
    with pytest.raises(FocusDetrError, match="no space left"):
        log.close()
    for path in (first, last):
        refuse_second_writer(path)


def _split_report(step: int, forward_ms: float) -> StepReport:
    split = {"forward": forward_ms, "update": 20.0}
    return replace(step_report(step), split_ms=split, loss_scale=1024.0, skipped=3)


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
    scalars = {tag: values[10] for tag, values in scalars_of(tensorboard).items()}
    for name, value in (("forward_ms", 200.0), ("update_ms", 20.0)):
        assert record[name] == scalars[f"time/{name}"] == value
    for name, value in (("loss_scale", 1024.0), ("skipped_steps", 3)):
        assert record[name] == scalars[name] == value
