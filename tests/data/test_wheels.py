"""Wheels are downloaded once, checked and unpacked."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from focus_detr.data.wheels import Wheel, fetch_wheel, unpack
from focus_detr.errors import FocusDetrError

CONTENT = b"a wheel"
WHEEL = Wheel("thing==1.0", "thing-1.0.whl", hashlib.sha256(CONTENT).hexdigest())


def _fake_pip(
    monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes | None, status: int = 0
) -> list[Any]:
    calls = []

    def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(arguments)
        if content is not None:
            (folder / WHEEL.file_name).write_bytes(content)
        return subprocess.CompletedProcess(arguments, status, "", "noise\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_a_wheel_is_downloaded_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    calls = _fake_pip(monkeypatch, folder, CONTENT)
    assert fetch_wheel(WHEEL, folder).read_bytes() == CONTENT
    fetch_wheel(WHEEL, folder)
    assert len(calls) == 1
    assert "--no-deps" in calls[0]
    assert calls[0][-1] == "thing==1.0"


def test_a_damaged_wheel_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / WHEEL.file_name).write_bytes(CONTENT[:3])
    _fake_pip(monkeypatch, tmp_path, CONTENT)
    assert fetch_wheel(WHEEL, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (None, 1, "pip cannot download thing==1.0: ERROR: no network"),
        (None, 0, "pip did not bring thing-1.0.whl"),
        (b"another wheel", 0, "another SHA-256"),
    ],
)
def test_a_failed_download_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
    status: int,
    words: str,
) -> None:
    _fake_pip(monkeypatch, tmp_path, content, status)
    with pytest.raises(FocusDetrError) as caught:
        fetch_wheel(WHEEL, tmp_path)
    assert words in str(caught.value)


def test_members_are_unpacked_where_they_belong(tmp_path: Path) -> None:
    archive = tmp_path / "thing.whl"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inner/a.txt", "hello")
    unpack(archive, {"inner/a.txt": tmp_path / "out" / "b.txt"})
    assert (tmp_path / "out" / "b.txt").read_text() == "hello"
    with pytest.raises(FocusDetrError, match=r"thing\.whl cannot be unpacked"):
        unpack(archive, {"inner/absent.txt": tmp_path / "c.txt"})


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FocusDetrError, match="cannot write to"):
        fetch_wheel(WHEEL, tmp_path / "file" / "downloads")
