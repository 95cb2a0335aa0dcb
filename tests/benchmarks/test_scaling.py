"""The model of many devices against numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from script_module import load_script

from focus_detr.errors import FocusDetrError

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "scaling.py"


@pytest.fixture(scope="module")
def scaling() -> ModuleType:
    return load_script(PATH)


def test_one_machine(scaling: ModuleType) -> None:
    given = scaling.Assumptions(parameters=100e6, inside_rate=70e9, inside_delay=1e-5, tensors=10)
    result = scaling.estimate(8, given)
    assert result.megabytes_sent == pytest.approx(2 * 7 / 8 * 400)
    assert result.fused_seconds == pytest.approx(700e6 / 70e9 + 14e-5)
    assert result.separate_seconds == pytest.approx(700e6 / 70e9 + 10 * 14e-5)
    assert result.efficiency_hidden > result.efficiency_fused > result.efficiency_separate


def test_several_machines_share_the_way_out(scaling: ModuleType) -> None:
    given = scaling.Assumptions(parameters=100e6, between_rate=10e9, between_delay=1e-5)
    near, far = scaling.estimate(8, given), scaling.estimate(1024, given)
    way_out = 2 * 127 / 128 * 400e6 / 8
    extra = way_out / 10e9 + 2 * 127 * 1e-5
    assert far.fused_seconds - near.fused_seconds == pytest.approx(extra)
    assert far.steps_per_epoch == 57
    assert far.host_images_per_second == pytest.approx(far.images_per_second / 128)


def test_one_device_has_nothing_to_share(scaling: ModuleType) -> None:
    result = scaling.estimate(1, scaling.Assumptions())
    assert result.megabytes_sent == result.fused_seconds == result.small_seconds == 0
    assert result.efficiency_fused == 1


@pytest.mark.parametrize("words", [["speed=1"], ["batch_size=0"], ["batch_size=two"]])
def test_assumptions_make_sense(scaling: ModuleType, words: list[str]) -> None:
    with pytest.raises(FocusDetrError, match=words[0].partition("=")[0]):
        scaling.parse_assumptions(words)


def test_two_runs_are_compared(scaling: ModuleType, tmp_path: Path) -> None:
    for name, times in (("one", [900, 90, 90, 40, 44, 48]), ("two", [900, 90, 90, 20, 22, 24])):
        (tmp_path / name).mkdir()
        lines = [json.dumps({"kind": "train", "step_ms": t - 4, "data_ms": 4}) for t in times]
        text = "\n".join(['{"kind": "message", "text": "x"}', *lines])
        (tmp_path / name / "metrics.jsonl").write_text(text)
    target = tmp_path / "out.json"
    runs = ["--measured", str(tmp_path / "one"), str(tmp_path / "two")]
    assert scaling.main([*runs, "--json", str(target), "batch_size=4"]) == 0
    report = json.loads(target.read_text())
    assert report["measured"] == {"one_ms": 44, "several_ms": 22, "speedup": 2.0}
    assert report["assumptions"]["batch_size"] == 4
    assert [entry["devices"] for entry in report["estimates"]] == [8, 64, 1024]


def test_a_run_that_cannot_be_measured(scaling: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="cannot read"):
        scaling.step_milliseconds(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train", "step_ms": 1, "data_ms": 1}\n')
    with pytest.raises(FocusDetrError, match="1 step, too few"):
        scaling.step_milliseconds(tmp_path)
