"""Runs the model's benchmarks as a user does, on a tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from script_module import load_script

ROOT = Path(__file__).resolve().parents[1]
TINY = (
    "model.num_classes=3",
    "model.width=32",
    "model.heads=4",
    "model.backbone.name=resnet18",
    "model.backbone.width_factor=0.125",
    "model.backbone.depths=[1, 1, 1, 1]",
    "model.encoder.layers=1",
    "model.encoder.ffn_width=32",
    "model.encoder.points=1",
    "model.encoder.cascade=[1.0]",
    "model.encoder.object_tokens=10",
    "model.decoder.layers=1",
    "model.decoder.ffn_width=32",
    "model.decoder.points=1",
    "model.decoder.queries=10",
    "denoising.number=2",
    "data.target_buckets=[12]",
    "train.batch_size=1",
)


def run_benchmark(
    script: str, *arguments: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Output and status of ``benchmarks/SCRIPT`` with these environment variables."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | variables
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def refusal(script: str, *arguments: object, **variables: str) -> str:
    """The one sentence with which ``benchmarks/SCRIPT``, in this process, refuses its arguments."""
    with redirect_stderr(StringIO()) as said:
        assert _status(script, arguments, variables) == 2
    assert said.getvalue().count("\n") == 1
    return said.getvalue()


def printed(script: str, *arguments: object) -> str:
    """What ``benchmarks/SCRIPT``, in this process, prints; for those that measure nothing."""
    with redirect_stdout(StringIO()) as said:
        assert _status(script, arguments, {}) == 0
    return said.getvalue()


def _status(script: str, arguments: Sequence[object], variables: Mapping[str, str]) -> int:
    benchmark = ROOT / "benchmarks" / script
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(benchmark.parent)
        for name, value in variables.items():
            patch.setenv(name, value)
        return load_script(benchmark).main(list(map(str, arguments)))
