"""Runs the model's benchmarks as a user does, on a tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    """The one sentence with which ``benchmarks/SCRIPT`` refuses its arguments."""
    finished = run_benchmark(script, *arguments, **variables)
    assert finished.returncode == 2, finished.stderr
    assert finished.stderr.count("\n") == 1
    return finished.stderr
