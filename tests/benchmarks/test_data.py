"""``benchmarks/data.py`` on a few made pictures, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_runs import refusal, run_benchmark

SCRIPT = "data.py"
SMALL = (
    "data.train_short_sides=[64]",
    "data.train_max_side=96",
    "data.crop=0.0",
    "train.batch_size=2",
)


def test_loading_is_measured_and_printed(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    finished = run_benchmark(
        *(SCRIPT, "--made", 8, "--images", 40, "--workers", 0, 2, "--step-ms", 20),
        *("--json", path, *SMALL),
    )
    assert finished.returncode == 0, finished.stderr
    saved = json.loads(path.read_text())
    assert saved["step_images_per_second"] == pytest.approx(100)
    parts = saved["parts_ms"]
    assert min(parts.values()) >= 0
    assert min(parts["decode"], parts["resize"], parts["read"], parts["pad and normalise"]) > 0
    assert sum(parts.values()) == pytest.approx(2 * parts["whole"])
    assert [run["workers"] for run in saved["runs"]] == [0, 2]
    for run in saved["runs"]:
        assert run["images"] == 40
        assert run["images_per_second"] == pytest.approx(40 / run["seconds"])
        assert len(run["resident_mib"]) == 10
        assert min(run["resident_mib"]) > 20
        shown = next(
            line.split()
            for line in finished.stdout.splitlines()
            if line[:3] == f"{run['workers']}  "
        )
        assert float(shown[1]) == pytest.approx(run["images_per_second"], abs=0.051)
        assert float(shown[-1]) == pytest.approx(run["images_per_second"] / 100, abs=0.051)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--images", 0), "--images is 0, expected 1 or more"),
        (("--made", 0), "--made is 0, expected 1 or more"),
        (("--workers", 1, -1), "--workers is -1, expected 0 or more"),
        (("--step-ms", "nan"), "--step-ms is nan, expected more than 0"),
        ((), "data.train_annotations is not set"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[object, ...], sentence: str) -> None:
    assert sentence in refusal(SCRIPT, *arguments)
