"""Packages that are missing, of another version, or broken when they are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.doctor import packages
from focus_detr.doctor.packages import core_packages, import_problems
from focus_detr.process.requirements import CORE


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages and modules come first, here and in other processes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing goes well, and quickly."""
    monkeypatch.setattr(packages, "import_problems", lambda modules: {})


@pytest.mark.usefixtures("importable")
def test_here_everything_fits() -> None:
    found = core_packages()
    assert [package.name for package in found] == list(CORE)
    assert [package for package in found if not package.fine] == []
    assert {package.name: package.version for package in found}["mindspore"] == "2.10.0"


def test_what_cannot_be_imported_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "import_problems", lambda modules: {"cv2": "ImportError: libGL"})
    (broken,) = [package for package in core_packages() if not package.fine]
    assert (broken.name, broken.problem) == ("opencv-python-headless", "ImportError: libGL")


def test_a_module_that_raises_or_kills_python_is_found(others: Path) -> None:
    bodies = {
        "fine_one": "print('noise\\twith a tab')",
        "raising": "raise ImportError('libGL.so.1:\\n cannot open')",
        "killing": "import os; os.kill(os.getpid(), 9)",
        "leaving": "import sys; sys.exit(3)",
        "fine_two": "",
    }
    for name, body in bodies.items():
        (others / f"{name}.py").write_text(body)
    assert import_problems(bodies) == {
        "raising": "ImportError: libGL.so.1: cannot open",
        "killing": "importing it ends Python with status -9",
        "leaving": "SystemExit: 3",
    }
