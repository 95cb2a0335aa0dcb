"""A file is replaced whole or stays as it was, and others may read it if the umask lets them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import check_folder, whole_file, write_json, write_whole
from focus_detr.weights.checkpoint import save_checkpoint
from focus_detr.weights.torch_writer import write_state_dict


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


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path, target = tmp_path / "link", tmp_path / "folder" / "file"
    path.symlink_to(target)
    for content in (b"old", b"new"):  # at first the link leads nowhere
        write_whole(path, content)
        assert path.is_symlink() and target.read_bytes() == content
    assert os.listdir(target.parent) == ["file"]


def test_a_pipe_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(FocusDetrError, match=f"cannot write {path}: it is not a regular file"):
        write_whole(path, b"new")
    assert path.is_fifo()


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


def test_refused_value_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, [1])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, [float("nan")])
    assert path.read_text() == "[1]\n"


def test_unwritable_target_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(FocusDetrError, match=r"cannot write .*folder"):
        write_whole(target, b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_whole(path, b"x"),
        lambda path: save_checkpoint(path, {"a": np.ones(2, np.float32)}, {}),
        lambda path: write_state_dict(path, {"a": np.ones(2, np.float32)}),
    ],
    ids=["bytes", "checkpoint", "torch checkpoint"],
)
def test_permissions_follow_the_umask(
    tmp_path: Path, umask: int, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_folder_is_looked_at_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "newer")
    assert not (tmp_path / "new").exists()
    file = tmp_path / "file"
    file.write_bytes(b"")
    for path in (file, file / "below"):
        with pytest.raises(FocusDetrError, match=rf"cannot write to {path}: {file} is no folder"):
            check_folder(path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FocusDetrError, match=rf"{tmp_path} may not be written"):
        check_folder(tmp_path / "new")
