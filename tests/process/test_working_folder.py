"""In a working folder that is gone, everything says so before anything is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.process.working_folder import check_working_folder

ROOT = Path(__file__).resolve().parents[2]
DELETED = "the working folder was deleted; change to another one and try again"
BENCHMARKS = ("deploy", "model", "model_msda", "msda", "train_step")  # that load MindSpore first
PYTHON = (
    "import focus_detr\n"
    "try:\n    focus_detr.load\n"
    "except focus_detr.FocusDetrError as error:\n    raise SystemExit(f'error: {error}')"
)


@pytest.fixture
def deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder that is no more."""
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@pytest.mark.usefixtures("deleted")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["-m", "focus_detr", "doctor"], 2),
        ([ROOT / "train.py", "--config", "smoke"], 2),
        ([ROOT / "predict.py", "--checkpoint", "x.safetensors", "photo.jpg"], 2),
        ([ROOT / "scripts" / "convert_weights.py", "a.pth", "a.safetensors"], 2),
        ([ROOT / "scripts" / "pack_mindrecord.py", "--config", "smoke", "--out", "x"], 2),
        *(([ROOT / "benchmarks" / f"{name}.py"], 2) for name in BENCHMARKS),
        (["-c", PYTHON], 1),
    ],
    ids=["doctor", "train", "predict", "convert", "pack", *BENCHMARKS, "python"],
)
def test_a_deleted_folder_is_one_sentence(words: list[str | Path], status: int) -> None:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"error: {DELETED}\n")


@pytest.mark.parametrize(("called", "named"), [("stat", " {folder}"), ("getcwd", "")])
def test_a_closed_folder_is_named_where_its_name_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, named: str
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.chdir(tmp_path)
    check_working_folder()
    with monkeypatch.context() as patch:
        patch.setattr(os, called, refuse)
        with pytest.raises(FocusDetrError) as caught:
            check_working_folder()
    assert str(caught.value) == (
        f"cannot use the working folder{named.format(folder=tmp_path)}: Permission denied; change "
        "to another one"
    )
