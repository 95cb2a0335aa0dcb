"""``benchmarks/model.py`` on a tiny model, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmark_runs import TINY, printed, refusal, run_benchmark

SCRIPT = "model.py"


def measured(folder: Path, *arguments: object) -> tuple[str, dict[str, Any]]:
    """Printed text and saved numbers of a run with the tiny model."""
    path = folder / "model.json"
    size = ("--height", 128, "--width", 160, "--repeat", 2, "--device", "CPU")
    finished = run_benchmark(SCRIPT, *size, *arguments, "--json", path, *TINY)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout, json.loads(path.read_text())


def assert_timed(saved: dict[str, Any], parts: set[str], processes: set[str]) -> None:
    """Both models have two positive times per part and a peak per process."""
    assert set(saved["measured"]) == {"focus", "dense"}
    for model in saved["measured"].values():
        assert set(model["seconds"]) == parts
        assert all(len(runs) == 2 and min(runs) > 0 for runs in model["seconds"].values())
        assert set(model["peak_bytes"]) == processes
        assert min(model["peak_bytes"].values()) > 50e6
        assert all(100 < sum(kinds.values()) < 3000 for kinds in model["kernels"].values())


def test_forward_pass_is_measured_and_printed(tmp_path: Path) -> None:
    printed, saved = measured(tmp_path, "--skip", "parts", "--skip", "training")
    assert_timed(saved, {"whole forward"}, {"whole forward"})
    row = next(line for line in printed.splitlines() if line.startswith("whole forward"))
    shortest = 1e3 * min(saved["measured"]["focus"]["seconds"]["whole forward"])
    assert float(row.split()[3]) == pytest.approx(shortest, abs=0.051)
    assert "training step" not in printed
    product = next(line for line in printed.splitlines() if line.startswith("product 4096"))
    rate = 4096 * 2048**2 / min(saved["product_seconds"]) / 1e9
    assert float(product.split()[-2]) == pytest.approx(rate, abs=0.051)
    total = sum(saved["counts"]["timed_size"]["focus"].values()) / (shortest * 1e6)
    row = next(line for line in printed.splitlines() if line.startswith("whole forward, focus"))
    assert float(row.split()[-1]) == pytest.approx(total / rate, abs=0.0051)
    focus, dense = (saved["counts"]["timed_size"][name] for name in ("focus", "dense"))
    more = {part for part in focus if dense[part] > focus[part]}
    assert more == {"encoder_layers", "category_head", "encoder_sampling"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--height", 8), "--height is 8, expected 32 or more"),
        (("--rows", "famly/*"), "--rows famly/* fits no settings of the package, try 'family/*'"),
        (("--rows", "family/*", "--config", "a.yaml"), "goes without --config"),
        (("--repeat", 0), "--repeat is 0, expected 1 or more"),
        (("model.colour=blue",), "unknown setting model.colour"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[object, ...], sentence: str) -> None:
    assert sentence in refusal(SCRIPT, *arguments)


def test_rows_of_the_family_are_counted_without_a_run(tmp_path: Path) -> None:
    saved = tmp_path / "rows.json"
    said = printed(SCRIPT, "--rows", "family/dino_r50_*ep", "--json", saved)
    lines = [line.split() for line in said.splitlines()]
    counted = {line[0]: tuple(map(float, line[1:])) for line in lines[2:] if line}
    names = ["dino_r50_12ep", "dino_r50_24ep", "dino_r50_36ep"]
    scales = [f"dino_r50_5scale_{epochs}ep" for epochs in (12, 24, 36)]
    assert list(counted) == [f"family/{name}" for name in (*names, *scales)]
    for name in names:  # of the reference: 47.650 million, 237.0 and 136.65 + 2.26 billion
        assert counted[f"family/{name}"] == pytest.approx((47.650, 237.0, 138.9), rel=1e-3)
    for row in json.loads(saved.read_text(encoding="utf-8"))["rows"]:
        exact = row["weights"] / 1e6, row["multiply_adds"] / 1e9, row["of_encoder"] / 1e9
        assert counted[row["settings"]] == pytest.approx(exact, abs=0.006)
