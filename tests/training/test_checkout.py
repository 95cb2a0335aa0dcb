"""The commit of the code is told where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from focus_detr.training.checkout import checkout_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    command = ["git", *who, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A committed file."""
    file = tmp_path / "package" / "code.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "begin")
    return file


def test_the_commit_is_told_and_whether_files_changed(code: Path) -> None:
    (code.parent / "notes.txt").write_text("git does not know this file")
    found = checkout_of(code)
    assert found is not None
    assert (found.commit, found.dirty) == (_git(code.parent, "rev-parse", "HEAD"), False)
    code.write_text("x = 2\n")
    changed = checkout_of(code)
    assert changed is not None and changed.dirty


def test_a_package_installed_below_a_checkout_is_not_of_it(code: Path) -> None:
    installed = code.parent / "installed.py"
    installed.write_text("")
    assert checkout_of(installed) is None


def test_without_a_checkout_or_git_there_is_no_commit(
    code: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path_factory.mktemp("alone") / "code.py"
    alone.write_text("")
    assert checkout_of(alone) is None
    monkeypatch.setenv("PATH", "")
    assert checkout_of(code) is None
