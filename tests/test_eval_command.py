"""``eval.py`` on saved detections, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.commands.eval import parse_arguments

ROOT = Path(__file__).resolve().parents[1]


def run_eval(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "eval.py"), *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    content = {
        "images": [{"id": 1}],
        "categories": [{"id": 5, "name": "cat"}],
        "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 30, 40]}],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    return path


def test_saved_detections_are_measured(annotations: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    box = {"image_id": 1, "category_id": 5, "bbox": [1, 2, 30, 40], "score": 0.5}
    results.write_text(json.dumps([box]))
    metrics = tmp_path / "metrics.json"
    done = run_eval("--results", results, "--annotations", annotations, "--json", metrics)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["cat", "100.0", "100.0"]
    assert json.loads(metrics.read_text())["metrics"]["AP"] == pytest.approx(1.0)


def test_broken_results_are_one_sentence_and_status_two(annotations: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("[{")
    done = run_eval("--results", results, "--annotations", annotations)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: {results} is not valid JSON")
    assert "Traceback" not in done.stderr


def test_saved_detections_and_a_network_exclude_each_other(annotations: Path) -> None:
    results = annotations.with_name("results.json")
    results.write_text("[]")
    done = run_eval("--results", results, "--annotations", annotations, "eval.batch_size=2")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: key=value cannot be combined with --results")
    assert done.stderr.count("\n") == 1


def test_settings_may_stand_on_both_sides_of_an_option() -> None:
    words = ["data.workers=0", "--json", "m.json", "--config", "c.yaml", "eval.batch_size=2"]
    given = parse_arguments(words)
    assert (given.json, given.config) == ("m.json", "c.yaml")
    assert given.overrides == ["data.workers=0", "eval.batch_size=2"]


def test_metrics_need_no_mindspore() -> None:
    code = (
        "import sys, focus_detr.evaluation.coco_metrics, focus_detr.evaluation.report\n"
        "sys.exit('mindspore' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
