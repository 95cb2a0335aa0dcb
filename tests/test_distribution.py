"""The source archive and the wheel: built, installed into a fresh environment, used elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from constant_onnx import write_constant_onnx

ROOT = Path(__file__).resolve().parents[1]
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def _build(what: str, sources: Path, out: Path) -> Path:
    """What a front end such as pip calls, in a process of its own; the file that it wrote."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD, what, str(out)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, of what git would have here."""
    folder = tmp_path_factory.mktemp("sources")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in files.splitlines():
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    if not files:
        pytest.skip("this is no git checkout")
    return _build("build_sdist", folder, tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the source archive alone gives."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as file:
        file.extractall(folder)
    (inner,) = folder.iterdir()
    return _build("build_wheel", inner, tmp_path_factory.mktemp("wheel"))


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, whose other packages are those of this one."""

    folder: Path
    elsewhere: Path  # to run in: not the repository

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the command."""
        command = [str(self.folder / "bin" / "focus-detr"), *words]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FOCUS"))}
        return subprocess.run(
            command, cwd=self.elsewhere, env=clean, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Without a network, and without what the wheel depends on: that is here already."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(str(Path(cv2.__file__).parents[1]))
    return Installed(folder, tmp_path_factory.mktemp("elsewhere"))


def test_the_archive_has_what_a_build_needs(archive: Path) -> None:
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    for folder in ("config", "custom_ops/msda", "src/focus_detr/demo/static"):
        here = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.*")}
        assert here <= names
    assert {"setup.py", "custom_ops/build.py", "LICENSE", "README.md"} <= names


def test_the_wheel_has_the_settings_and_says_what_it_fits(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        for path in (ROOT / "config").rglob("*.yaml"):
            inside = f"focus_detr/recipes/{path.relative_to(ROOT / 'config')}"
            assert file.read(inside) == path.read_bytes()
    assert {"focus_detr/py.typed", "focus_detr/demo/static/index.html"} <= names
    has_library = "focus_detr/ops/lib/libmsda_cpu.so" in names
    assert ("focus_detr/ops/lib/libproducts_cpu.so" in names) == has_library
    tag = wheel.stem.split("-", 2)[2]
    assert re.fullmatch(r"py3-none-linux_\w+" if has_library else "py3-none-any", tag)


def test_the_command_lists_its_commands_and_names_itself(installed: Installed) -> None:
    assert "  predict  detect on" in installed.run("--help").stdout
    assert installed.run("train", "--help").stdout.startswith("usage: focus-detr train ")


def test_the_doctor_finds_the_settings_and_the_library(installed: Installed) -> None:
    done = installed.run("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    inside = Path(report["focus_detr"]["folder"])
    assert inside.is_relative_to(installed.folder)
    assert report["focus_detr"]["settings"] == str(inside / "recipes")


def test_settings_are_found_by_name_and_their_data_in_the_working_folder(
    installed: Installed,
) -> None:
    done = installed.run("browse", "--config", "smoke", "train.seed=1")
    assert done.returncode == 2
    assert done.stderr == "error: image folder data/sample/train does not exist\n"


def test_it_detects(installed: Installed) -> None:
    write_constant_onnx(installed.elsewhere / "dog.onnx")
    cv2.imwrite(str(installed.elsewhere / "photo.png"), np.full((60, 90, 3), 127, np.uint8))
    done = installed.run("predict", "--model", "dog.onnx", "photo.png")
    assert done.returncode == 0, done.stderr
    listed = json.loads((installed.elsewhere / "predictions" / "detections.json").read_text())
    assert [found["name"] for found in listed[0]["detections"]] == ["dog"]
