"""What MindSpore tells of devices, and native operators that are there or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.doctor.devices import ask_mindspore, native_operators


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise ImportError('libgomp.so.1 is missing')", "ImportError: libgomp.so.1 is missing"),
        ("import os; os.kill(os.getpid(), 9)", "it ends with status -9"),
    ],
)
def test_a_mindspore_that_does_not_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    (tmp_path / "mindspore.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    devices = ask_mindspore()
    assert devices.problem == problem and devices.best is None
    assert set(devices.counts.values()) == {0}


def test_a_library_that_is_missing_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(tmp_path / "none.so"))
    assert native_operators()["CPU"] == (
        f"FOCUS_DETR_MSDA_LIBRARY names {tmp_path / 'none.so'}, which is not there; "
        "build it with `python custom_ops/build.py` in the repository"
    )


def test_a_library_that_is_there_has_no_problem(
    msda_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library))
    assert native_operators()["CPU"] is None
