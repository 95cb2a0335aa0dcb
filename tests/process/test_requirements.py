"""Packages that do not fit are told before they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from distributions import install_description

from focus_detr.process import requirements
from focus_detr.process.requirements import (
    CORE,
    Package,
    check_packages,
    installed_packages,
    missing_modules,
)

ROOT = Path(__file__).resolve().parents[2]
NUMPY = "<2,>=1.25"
TOLD = (
    f"error: the installed packages do not fit (numpy 2.1.0: this package needs {NUMPY}); "
    f"pip install 'numpy{NUMPY}'\n"
)


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose distributions come first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def _unfit() -> list[Package]:
    return [package for package in installed_packages() if not package.fine]


def test_here_everything_fits() -> None:
    check_packages()
    assert [package.name for package in installed_packages()] == list(CORE)
    assert _unfit() == []


def test_every_package_of_the_project_is_looked_at() -> None:
    assert set(requirements._limits()) == set(CORE)


@pytest.mark.parametrize(
    ("name", "version"), [("numpy", "2.0.0"), ("mindspore", "2.9.0"), ("pillow", "9.5.0")]
)
def test_an_unfit_version_is_named_with_what_to_install(
    others: Path, name: str, version: str
) -> None:
    install_description(others, name, version)
    (found,) = _unfit()
    limit = requirements._limits()[name]
    assert found == Package(name, version, f"this package needs {limit}", f"{name}{limit}")


def test_of_two_that_fill_one_folder_the_unfit_one_is_named(others: Path) -> None:
    install_description(others, "opencv_python", "5.0.0")
    assert [(package.name, package.version) for package in _unfit()] == [("opencv-python", "5.0.0")]


def test_another_opencv_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"opencv-python": "4.9.0.80"}
    monkeypatch.setattr(requirements, "version_of", versions.get)
    found = {package.name: package.fine for package in installed_packages()}
    assert found["opencv-python"] is True


def test_what_is_missing_is_left_to_those_who_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "version_of", lambda name: None)
    check_packages.__wrapped__()
    assert [package.problem for package in _unfit()] == ["it is not installed"] * len(CORE)


def test_missing_modules_are_found_without_importing(others: Path) -> None:
    (others / "raising.py").write_text("raise ImportError")
    assert missing_modules(["raising", "no_such_module", "json"]) == ["no_such_module"]


@pytest.mark.parametrize(
    "words",
    [
        ["train.py", "--config", "smoke"],
        ["-m", "focus_detr", "predict", "--checkpoint", "x.safetensors", "photo.jpg"],
        ["scripts/browse_data.py", "--config", "smoke", "--out", "x"],
    ],
)
def test_commands_say_it_before_anything_is_loaded(tmp_path: Path, words: list[str]) -> None:
    install_description(tmp_path, "numpy", "2.1.0")
    (tmp_path / "cv2.py").write_text("raise SystemError('loaded')")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", TOLD)


def test_python_programs_hear_it_as_an_error(tmp_path: Path) -> None:
    install_description(tmp_path, "numpy", "2.1.0")
    code = (
        "import focus_detr\n"
        "try:\n    focus_detr.load('x')\n"
        "except focus_detr.FocusDetrError as error:\n    print('error:', error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == TOLD
