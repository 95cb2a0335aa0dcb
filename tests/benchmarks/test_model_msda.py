"""``benchmarks/model_msda.py``: the forward pass on a tiny model, the rest without processes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmark_runs import ROOT, TINY, refusal, run_benchmark

SCRIPT = "model_msda.py"
NO_CHOICE = {"FOCUS_DETR_MSDA": ""}


def test_forward_pass_is_measured_with_both_operators(msda_library: Path, tmp_path: Path) -> None:
    path, library = tmp_path / "numbers.json", {"FOCUS_DETR_MSDA_LIBRARY": str(msda_library)}
    arguments = ("--height", 64, "--width", 96, "--repeat", 2, "--skip", "training", "--json", path)
    finished = run_benchmark(SCRIPT, *arguments, "--device", "CPU", *TINY, **library, **NO_CHOICE)
    assert finished.returncode == 0, finished.stderr
    saved = json.loads(path.read_text())
    assert list(saved["measured"]) == ["composition", "custom"]
    for model in saved["measured"].values():
        assert set(model["seconds"]) == set(model["peak_bytes"]) == {"whole forward"}
        assert all(len(runs) == 2 and min(runs) > 0 for runs in model["seconds"].values())
        assert min(model["peak_bytes"].values()) > 50e6
    assert "training step" not in finished.stdout


def test_every_pass_has_its_size_its_table_and_its_memory(
    msda_library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library))
    monkeypatch.setenv("FOCUS_DETR_MSDA", "")
    import model_msda

    seen = []

    def measure(works: dict[str, Any], name: str, repeat: int, timings: dict[str, Any]) -> None:
        for number, (variant, work) in enumerate(works.items()):
            seen.append((variant, work.config.model.msda, name, work.height, work.width))
            timings[variant].seconds[name] = [0.3 / (1 + 2 * number)] * repeat
            timings[variant].first_seconds[name] = 2.0
            timings[variant].peak_bytes[name] = (4 - number) * 2**30

    def measure_training(
        works: dict[str, Any], parts: Iterable[str], repeat: int, timings: dict[str, Any]
    ) -> None:
        for part in parts:
            measure(works, part, repeat, timings)

    monkeypatch.setattr(model_msda, "measure", measure)
    monkeypatch.setattr(model_msda, "measure_training", measure_training)
    path = tmp_path / "numbers.json"
    assert model_msda.main(["--repeat", "2", "--device", "CPU", "--json", str(path), *TINY]) == 0
    assert seen == [
        (name, name, part, *size)
        for part, size in (("whole forward", (800, 1066)), ("whole step", (480, 640)))
        for name in ("composition", "custom")
    ]
    saved = json.loads(path.read_text())
    assert saved["measured"]["custom"]["seconds"]["whole step"] == [0.3 / 3] * 2
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    times = ["300.0", "300.0", "100.0", "100.0", "3.00"]
    assert [line for line in lines if line[:1] == ["whole"] and line[2:] == times] == [
        ["whole", "forward", *times],
        ["whole", "step", *times],
    ]
    assert lines[-1] == ["whole", "step", "4.00", "3.00", "2.0", "2.0"]


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("--training-width", 8), {}, "--training-width is 8, expected 32 or more"),
        ((), {"FOCUS_DETR_MSDA": "auto"}, "FOCUS_DETR_MSDA would decide for both models"),
        ((), {"FOCUS_DETR_MSDA_LIBRARY": os.devnull}, "model.msda is custom, but"),
        (("--native", "builtin"), {}, "model.msda is builtin, but MindSpore's built-in operator"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    arguments: tuple[object, ...], variables: dict[str, str], sentence: str
) -> None:
    said = refusal(SCRIPT, "--device", "CPU", *arguments, **(NO_CHOICE | variables))
    assert sentence in said
