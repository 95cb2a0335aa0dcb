"""Test-wide set-up: CPU, graph mode, golden files."""

from __future__ import annotations

from pathlib import Path

import pytest

import focus_detr  # noqa: F401  (sets the oneDNN limit before MindSpore loads)

import mindspore as ms  # isort: skip

GOLDEN_DIR = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True, scope="session")
def _graph_mode() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
