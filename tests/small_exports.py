"""Exports of small networks that are proven in this process.

``export.py`` runs each file in a process of its own and the checkpoint as a graph, which
``test_export_command.py`` tests; starting and compiling take most of an export's time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mindspore import Tensor
from model_cases import pynative, scatter_weights
from small_checkpoint import CLASSES, TEST_SIZE

from focus_detr.comparing.guided_detector import GuidedDetector
from focus_detr.comparing.pictures import draw_picture
from focus_detr.config.schema import Config
from focus_detr.deploy import replay
from focus_detr.exporting import session
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.session import Exporter
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint


class ByOperation(GuidedDetector):
    """Computes operation by operation."""

    def _detect(self, images: Tensor, sizes: Tensor) -> Sequence[Tensor]:
        with pynative():
            return super()._detect(images, sizes)


def replay_here(patch: pytest.MonkeyPatch) -> None:
    """Files that are proven run in this process."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["-m", replay.__name__]
        return subprocess.CompletedProcess(command, replay.main(command[3:]), "", "")

    patch.setattr(replay, "subprocess", SimpleNamespace(run=run))


def assert_exported_and_proven(config: Config, file: Path, patch: pytest.MonkeyPatch) -> None:
    """Export a network of these settings with drawn weights; its file equals its checkpoint."""
    replay_here(patch)
    patch.setattr(session, "GuidedDetector", ByOperation)
    config = replace(config, data=TEST_SIZE)
    network = build_model(config.model, len(CLASSES))
    scatter_weights(network)
    checkpoint = file.with_name("best.safetensors")
    save_checkpoint(checkpoint, model_tensors(network), describe(config, CLASSES))
    said: list[str] = []
    options = ExportOptions(file, ((64, 96),), device="CPU")
    files = Exporter(checkpoint, options, report=said.append).run([draw_picture(64, 90, seed=0)])
    assert files == [file] and file.is_file()
    assert "largest difference of numbers" in said[0]
