"""Temporary folders go with their program, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from focus_detr.io import private_folder as module
from focus_detr.io.private_folder import private_folder, sweep

SOURCE = Path(module.__file__)
PREFIX = "focus_detr_graphs_"
# the module alone, as the whole package takes seconds to import
PROGRAM = f"""
import runpy, sys
made = runpy.run_path({str(SOURCE)!r})["private_folder"]("graphs")
(made / "graph").touch()
print(made, flush=True)
sys.stdin.readline()
"""


def _program(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A program with a folder, and the folder."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TMPDIR": str(parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    folder = Path(program.stdout.readline().strip())
    os.utime(folder, (1e9, 1e9))
    return program, folder


def test_the_folder_of_a_killed_program_goes_and_that_of_a_living_one_stays(
    tmp_path: Path,
) -> None:
    killed, left = _program(tmp_path)
    living, used = _program(tmp_path)
    sweep(tmp_path, PREFIX)
    assert left.exists()
    killed.kill()
    killed.communicate()
    sweep(tmp_path, PREFIX)
    assert not left.exists()
    assert (used / "graph").exists()
    living.communicate("")
    assert living.returncode == 0
    assert not used.exists()  # a program that ends by itself leaves nothing


def test_a_new_folder_is_swept_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = ("focus_detr_graphs_old", "focus_detr_graphs_young", "focus_detr_runs", "photos")
    old, young, runs, photos = (tmp_path / name for name in names)
    for path in (old, young, runs, photos):
        path.mkdir()
    for path in (old, runs, photos):
        os.utime(path, (1e9, 1e9))
    new = private_folder("graphs")
    assert new.is_dir()
    assert [path.exists() for path in (old, young, runs, photos)] == [False, True, True, True]


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "photos"
    target.mkdir()
    os.utime(target, (1e9, 1e9))
    (tmp_path / "focus_detr_graphs_link").symlink_to(target)
    sweep(tmp_path, PREFIX)
    assert target.is_dir()
