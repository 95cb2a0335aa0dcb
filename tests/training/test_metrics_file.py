"""Records of a run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from step_reports import step_report

from focus_detr.training.metrics_file import JsonLinesSink
from focus_detr.training.run_log import RunLog


def test_records_are_appended_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in (1, 2):
        log = RunLog([JsonLinesSink(path)], log_every=1)
        log.step(step_report(step))
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


def test_a_gradient_without_end_is_json_too(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "metrics.jsonl")
    log = RunLog([sink], log_every=1)
    log.step(replace(step_report(1), gradient_norm=math.inf))
    log.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["gradient_norm"] is None
