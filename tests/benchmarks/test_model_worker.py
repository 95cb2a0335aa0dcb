"""``benchmarks/model_worker.py``: what a process tells of its first calls."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_runs import ROOT
from holding_job import MIB, HoldingJob


def test_peak_is_that_of_both_first_calls_and_not_of_the_program_that_started_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from model_worker import Worker

    starters = np.ones(1000 * MIB, np.uint8)
    peaks = []
    for mebibytes in ((100, 0), (100, 300)):
        with Worker() as worker:
            peaks.append(worker.start(HoldingJob(mebibytes)).peak_bytes)
    assert 100 * MIB < peaks[0] < starters.nbytes // 2
    assert 250 * MIB < peaks[1] - peaks[0] < 350 * MIB
