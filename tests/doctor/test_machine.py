"""What the machine has, as far as this process may use it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from focus_detr.doctor import machine
from focus_detr.doctor.machine import Machine, in_words


def test_numbers_are_those_of_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_LIMITS", ())
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.chdir(tmp_path)
    here = Machine.here()
    assert here.cores == len(os.sched_getaffinity(0))
    assert here.threads == "3"
    assert here.memory == psutil.virtual_memory().total
    assert here.free_memory == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert here.folder == str(tmp_path)
    assert here.free_disk == pytest.approx(psutil.disk_usage(str(tmp_path)).free, rel=0.1)


@pytest.mark.parametrize(("text", "limited"), [("2000000\n", True), ("max\n", False)])
def test_a_container_may_have_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, limited: bool
) -> None:
    (tmp_path / "max").write_text(text)
    (tmp_path / "current").write_text("500000\n")
    monkeypatch.setattr(machine, "_LIMITS", ((tmp_path / "max", tmp_path / "current"),))
    here = Machine.here()
    if limited:
        assert (here.memory, here.free_memory) == (2_000_000, 1_500_000)
    else:
        assert here.memory == psutil.virtual_memory().total


def test_a_system_without_proc_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_MEMORY", tmp_path / "missing")
    assert Machine.here().memory is None
    assert in_words(None) == "unknown" and in_words(3 * 2**30) == "3.0 GB"
