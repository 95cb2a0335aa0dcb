"""Where graphs are kept, and where not."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import pytest

from focus_detr.config.schema import Config
from focus_detr.distributed.world import World
from focus_detr.graph_cache.opening import open_graphs


def test_graphs_are_kept_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_graphs("~/graphs", Config(), World(1, 2))
    assert store is not None and store.folder.parent == tmp_path / "graphs"
    store.save("Step-1", b"graph")
    assert [path.name for path in store.folder.iterdir()] == ["Step-1-1.graph"]


def test_without_a_folder_none_are_kept() -> None:
    assert open_graphs(None, Config(), World()) is None


def test_only_a_cpu_keeps_graphs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ms, "get_context", lambda name: "Ascend")
    assert open_graphs("graphs", Config(), World()) is None
    assert "proven on a CPU only: on Ascend, graphs is not used" in caplog.text
