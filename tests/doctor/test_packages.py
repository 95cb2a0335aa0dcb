"""Packages that are missing, of another version, or broken when they are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.doctor import packages
from focus_detr.doctor.packages import (
    CORE,
    Package,
    core_packages,
    import_problems,
    missing_modules,
    version_of,
)


def _install(folder: Path, name: str, version: str) -> None:
    """What pip leaves of a distribution, without its modules."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text)


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


@pytest.mark.usefixtures("importable")
def test_numpy_2_is_named_with_what_to_install(others: Path) -> None:
    _install(others, "numpy", "2.1.0")
    (numpy,) = [package for package in core_packages() if not package.fine]
    limit = "<2,>=1.25"
    assert numpy == Package("numpy", "2.1.0", f"this package needs {limit}", f"numpy{limit}")


@pytest.mark.usefixtures("importable")
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    assert all(package.problem == "it is not installed" for package in core_packages())
    assert "mindspore==2.10.0" in [package.remedy for package in core_packages()]


def test_another_opencv_counts(others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_TWINS", {"absent-package": ("its-twin",)})
    assert version_of("absent-package") is None
    _install(others, "its_twin", "4.9.1")
    assert version_of("absent-package") == "4.9.1"


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


def test_missing_modules_are_found_without_importing(others: Path) -> None:
    (others / "raising.py").write_text("raise ImportError")
    assert missing_modules(["raising", "no_such_module", "json"]) == ["no_such_module"]
