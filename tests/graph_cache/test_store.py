"""The folder of compiled graphs: whole files or none, and never too many."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from focus_detr.graph_cache.store import GraphStore

GRAPH = bytes(range(256)) * 20


def _stored_file(folder: Path) -> Path:
    (path,) = folder.glob("*/*.graph")
    return path


def test_a_graph_comes_back_as_it_was(tmp_path: Path) -> None:
    GraphStore(tmp_path, "run").save("Step-1", GRAPH)
    assert GraphStore(tmp_path, "run").load("Step-1") == GRAPH


def test_other_names_runs_and_workers_have_other_graphs(tmp_path: Path) -> None:
    GraphStore(tmp_path, "run").save("Step-1", GRAPH)
    assert GraphStore(tmp_path, "run").load("Step-2") is None
    assert GraphStore(tmp_path, "other run").load("Step-1") is None
    assert GraphStore(tmp_path, "run", worker=1).load("Step-1") is None


@pytest.mark.parametrize("kept", [0, 10, 31, 32, 33, 5000, 5151])
def test_a_file_that_ends_too_early_is_no_graph(tmp_path: Path, kept: int) -> None:
    GraphStore(tmp_path, "run").save("Step-1", GRAPH)
    path = _stored_file(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    assert GraphStore(tmp_path, "run").load("Step-1") is None


def test_a_changed_byte_is_told_and_repaired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = GraphStore(tmp_path, "run")
    store.save("Step-1", GRAPH)
    path = _stored_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    assert store.load("Step-1") is None
    assert f"{path} is damaged" in caplog.text
    store.save("Step-1", GRAPH)
    assert store.load("Step-1") == GRAPH


def test_a_folder_that_cannot_be_written_gives_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    store = GraphStore(tmp_path / "file", "run")
    with caplog.at_level(logging.WARNING):
        store.save("Step-1", GRAPH)
        store.save("Step-2", GRAPH)
    assert len(caplog.records) == 1
    assert "compiled graphs are not kept: cannot write" in caplog.text
    assert store.load("Step-1") is None


def test_the_longest_unused_runs_are_deleted(tmp_path: Path) -> None:
    for age, identity in enumerate(("newest", "second", "third", "oldest")):
        GraphStore(tmp_path, identity).save("Step-1", GRAPH)
        os.utime(tmp_path / identity, (1e9 - age, 1e9 - age))
    assert GraphStore(tmp_path, "third").load("Step-1") == GRAPH  # now it is the latest used
    GraphStore(tmp_path, "new", keep=3).save("Step-1", GRAPH)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "third", "newest"}


def test_folders_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    GraphStore(tmp_path, "run", keep=1)
    assert (tmp_path / "photos" / "cat.jpg").exists()
