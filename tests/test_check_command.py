"""``scripts/check_device.py`` on the one device that is always there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _check(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "check_device.py"), *words]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_native_operator_equals_the_composition(msda_library: Path) -> None:
    done = _check("--device", "cpu", FOCUS_DETR_MSDA_LIBRARY=str(msda_library))
    assert done.returncode == 0, done.stdout + done.stderr
    title, custom, builtin = done.stdout.splitlines()
    assert title == "CPU beside a CPU"
    assert custom.startswith("equal     attention, custom")
    assert builtin.startswith("not here  attention, builtin") and "runs on Ascend only" in builtin


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--device", "abacus"], "unknown device abacus"),
        (["--device", "Ascend"], "MindSpore finds 0 Ascend devices"),
    ],
)
def test_a_device_that_is_not_here_is_one_sentence(words: list[str], sentence: str) -> None:
    done = _check(*words)
    assert done.returncode == 2 and not done.stdout
    assert sentence in done.stderr and done.stderr.count("\n") == 1
