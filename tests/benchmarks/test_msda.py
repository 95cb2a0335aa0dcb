"""``benchmarks/msda.py``: its inputs, its table and its refusals; the full run takes minutes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def benchmark_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_the_limit_reads_the_rows_that_sampling_reads() -> None:
    from msda_cases import DEPTH, HEADS, SHAPES, TOKENS, gathered_rows, make_inputs
    from msda_twin import sample_fused
    from msda_worker import LOCAL

    inputs = make_inputs(LOCAL)
    rows = gathered_rows(inputs)
    assert rows.shape == (HEADS * 8911, 4 * len(SHAPES) * 4)
    assert rows.min() >= 0 and rows.max() < TOKENS * HEADS
    query, head = 4000, 3
    read = np.unique(rows[head * 8911 + query])
    assert (read % HEADS == head).all()
    others = np.zeros((1, TOKENS * HEADS, DEPTH), np.float32)
    others[0, np.setdiff1d(np.arange(TOKENS * HEADS), read)] = 1.0
    output = sample_fused(
        others.reshape(inputs.value.shape),
        SHAPES,
        inputs.references[:, query : query + 1],
        inputs.projected[:, query : query + 1],
    )
    assert not output[0, 0, head * DEPTH : (head + 1) * DEPTH].any()
    assert output.any()


def test_the_table_compares_the_shortest_runs() -> None:
    from msda import Measured, report
    from msda_worker import BACKWARD, FORWARD, IMPLEMENTATIONS, LIMIT

    times = {LIMIT: 1.0, IMPLEMENTATIONS[0]: 80.0, IMPLEMENTATIONS[3]: 2.0}
    results = [
        Measured(name, "some", {FORWARD: [ms / 1e3, ms / 5e2]}, {FORWARD: 3 * 2**20})
        for name, ms in times.items()
    ]
    results[2].seconds[BACKWARD], results[2].grown_bytes[BACKWARD] = [0.004], 2**20
    results[1].seconds[BACKWARD], results[1].grown_bytes[BACKWARD] = [0.1], 2**20
    lines = [line.split() for line in report(results).splitlines()]
    fused = [line for line in lines if line[-6:-5] == ["fused"]]
    assert [line[-5:] for line in fused] == [
        ["3.0", "2.0", "3", "40.0", "50%"],
        ["4.0", "4.0", "1", "25.0", "-"],
    ]


def test_bad_input_is_one_sentence() -> None:
    command = [sys.executable, str(BENCHMARKS / "msda.py"), "--repeat", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert finished.returncode == 2
    assert finished.stderr == "error: --repeat is 0, expected 1 or more\n"
