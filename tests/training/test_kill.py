"""Kill -9 wherever it strikes: the resumed run ends with the uninterrupted one's numbers."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from killed_run import UPDATES

from focus_detr.weights.checkpoint import load_checkpoint

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 120.0


def _start(folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"}
    return subprocess.Popen([sys.executable, TESTS / "killed_run.py", folder], env=environment)


def _kill_at(folder: Path, step: int, later_s: float) -> None:
    """Start a process and kill it so long after it has saved that step."""
    process = _start(folder)
    end = time.monotonic() + PATIENCE_S
    while not (folder / "checkpoints" / f"step_{step:08d}.safetensors").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.001)
    time.sleep(later_s)
    process.kill()
    assert process.wait() == -9


def test_a_run_killed_at_random_steps_ends_as_the_uninterrupted_one(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # pytest shows it when the test fails
    rng = random.Random(seed)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps = sorted(rng.sample(range(1, UPDATES - 10), 3))
    for step in steps:
        _kill_at(killed, step, later_s=rng.uniform(0.0, 0.03))
        saved = load_checkpoint(killed / "last.safetensors").metadata["training_state"]
        assert UPDATES > saved["epoch"] * UPDATES // 2 + saved["batch"] >= step
    assert _start(killed).wait(PATIENCE_S) == 0

    assert _start(whole).wait(PATIENCE_S) == 0  # not in this process, which may compute otherwise
    for name in ("last.safetensors", "averaged.safetensors"):
        expected, got = load_checkpoint(whole / name), load_checkpoint(killed / name)
        assert got.metadata == expected.metadata
        assert got.tensors.keys() == expected.tensors.keys()
        for key, value in expected.tensors.items():
            np.testing.assert_array_equal(got.tensors[key], value, err_msg=key)
    assert expected.tensors.keys() == {
        "backbone.kernel",
        "norm.gamma",
        "class_heads.weight",
        "label_embed",
    }
    last = load_checkpoint(killed / "last.safetensors").tensors
    assert (last["optimizer.step"], last["optimizer.skipped_steps"]) == (UPDATES - 1, 1)
