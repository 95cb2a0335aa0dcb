"""A file is replaced whole or stays as it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.weights.atomic import whole_file


def test_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    for content in ("old", "new"):
        with whole_file(path) as part:
            part.write_text(content)
            assert part.parent == path.parent
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with (
        pytest.raises(FocusDetrError, match=f"cannot write {path}: no space left"),
        whole_file(path) as part,
    ):
        part.write_text("new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_other_errors_pass_and_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError), whole_file(path) as part:
        part.write_text("half")
        raise KeyError("x")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(FocusDetrError, match="cannot write"), whole_file(tmp_path / "folder" / "x"):
        pass
