"""Graphs that the runs of several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_training import TinyRun


@pytest.fixture(scope="session")
def _graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture
def shared_graphs(_graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny runs of equal settings compile their step once; that this changes nothing is tested."""
    monkeypatch.setattr(TinyRun, "graphs", _graphs)
