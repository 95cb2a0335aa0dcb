"""``benchmarks/train_step.py`` on a tiny model, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_runs import ROOT, TINY, refusal, run_benchmark
from script_module import load_script

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError

SCRIPT = "train_step.py"
LEAST = (  # compiling a step takes longest, and every network has one
    "model.foreground_selector.enabled=false",
    "model.encoder.dual_attention=false",
    "model.queries.source=learned_points",
    "model.decoder.position=constant",
    "model.label_rows=none",
    "denoising.number=0",
)


def test_options_are_measured_beside_the_plain_step(tmp_path: Path) -> None:
    path = tmp_path / "steps.json"
    options = ("--models", "r50", "--options", "accumulate", "--repeat", 2)
    size = ("--height", 64, "--width", 96, "--device", "CPU", "--json", path)
    finished = run_benchmark(SCRIPT, *options, *size, *TINY, *LEAST)
    assert finished.returncode == 0, finished.stderr
    saved = json.loads(path.read_text())
    assert set(saved["measured"]) == {"r50 accumulate"}
    timing = saved["measured"]["r50 accumulate"]
    assert len(timing["seconds"]["whole step"]) == 2 and min(timing["seconds"]["whole step"]) > 0
    assert timing["peak_bytes"]["whole step"] > 50e6
    line = finished.stdout.strip().splitlines()[-1].split()
    middle, rate = float(line[2]) / 1e3, float(line[4])
    assert rate == pytest.approx(2 / middle, rel=0.1)  # two batches of one image per step


def test_what_a_cpu_cannot_do_is_left_out_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = load_script(ROOT / "benchmarks" / SCRIPT)
    assert script.possible_options(None, "CPU") == tuple(o for o in script.OPTIONS if o != "bf16")
    assert script.possible_options(None, "GPU") == tuple(script.OPTIONS)
    assert script.possible_options(("bf16", "fp16"), "Ascend") == ("bf16", "fp16")
    with pytest.raises(FocusDetrError, match="--options bf16: MindSpore has no such numbers"):
        script.possible_options(("plain", "bf16"), "CPU")


def test_every_option_is_a_training_that_both_models_can_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = load_script(ROOT / "benchmarks" / SCRIPT)
    for path in script.MODELS.values():
        configs = {name: load_config(path, words) for name, words in script.OPTIONS.items()}
        assert all(
            config != configs["plain"] for name, config in configs.items() if name != "plain"
        )
        gathers = {name for name, c in configs.items() if c.model.decoder.gathering == "released"}
        aligned = {name for name, c in configs.items() if c.loss.classification == "align"}
        assert (gathers, aligned) == ({"dac", "dac_align"}, {"align", "dac_align"})


def test_a_bad_size_is_a_sentence() -> None:
    assert "--height is 8, expected 32 or more" in refusal(SCRIPT, "--height", 8)
