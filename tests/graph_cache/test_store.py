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


def _identity(number: int) -> str:
    return f"{number:032x}"


def test_the_longest_unused_runs_are_deleted(tmp_path: Path) -> None:
    newest, second, third, oldest, new = map(_identity, range(5))
    for age, identity in enumerate((newest, second, third, oldest)):
        GraphStore(tmp_path, identity).save("Step-1", GRAPH)
        os.utime(tmp_path / identity, (1e9 - age, 1e9 - age))
    assert GraphStore(tmp_path, third).load("Step-1") == GRAPH  # now it is the latest used
    GraphStore(tmp_path, new, keep=3).save("Step-1", GRAPH)
    assert {path.name for path in tmp_path.iterdir()} == {new, third, newest}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("photos", ["cat.jpg"]),
        ("photos", ["Step-1-0.graph"]),
        ("empty", []),
        (_identity(1), []),
        (_identity(1), ["Step-1-0.graph", "notes.txt"]),
        (_identity(1), ["Step-1-0.graph", "other.graph"]),
        (_identity(1), ["Step-1-0.graph", "download.part"]),
        (_identity(1), ["Step-1-0.graph/inner.txt"]),
    ],
)
def test_folders_of_others_stay(name: str, files: list[str], tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    for file in files:
        (tmp_path / name / file).parent.mkdir(exist_ok=True)
        (tmp_path / name / file).touch()
    GraphStore(tmp_path, _identity(2), keep=1)
    assert (tmp_path / name).is_dir()
    assert all((tmp_path / name / file).exists() for file in files)


def test_a_link_to_graphs_elsewhere_stays(tmp_path: Path) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    GraphStore(shared, _identity(1)).save("Step-1", GRAPH)
    mine.mkdir()
    (mine / _identity(1)).symlink_to(shared / _identity(1))
    GraphStore(mine, _identity(2), keep=1)
    assert GraphStore(mine, _identity(1)).load("Step-1") == GRAPH


def test_old_unfinished_files_are_deleted(tmp_path: Path) -> None:
    store = GraphStore(tmp_path, _identity(1))
    store.save("Step-1", GRAPH)
    (tmp_path / "downloads").mkdir()
    dead, foreign, living, elsewhere = (
        store.folder / "Step-2-0.graph.77.part",
        store.folder / "film.77.part",
        store.folder / "Step-3-0.graph.78.part",
        tmp_path / "downloads" / "Step-2-0.graph.77.part",
    )
    for path in (dead, foreign, living, elsewhere):
        path.touch()
    for path in (dead, foreign, elsewhere):
        os.utime(path, (1e9, 1e9))
    GraphStore(tmp_path, _identity(2))
    assert [p.exists() for p in (dead, foreign, living, elsewhere)] == [False, True, True, True]
    assert store.load("Step-1") == GRAPH
