"""``custom_ops/build.py`` and the install hook: cache, several builders, no or a bad compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from focus_detr.ops import msda_library as library_module
from focus_detr.ops import native_library, products_library

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "custom_ops" / "build.py"


def run_build(cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"XDG_CACHE_HOME": str(cache)} | environment
    command = [sys.executable, str(SCRIPT), "--out", str(cache / "out")]
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


def test_a_second_build_compiles_nothing(
    msda_build: ModuleType, msda_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(msda_build, "_compile_and_link", None)
    before = set(msda_library.parent.glob("msda_cpu-*"))  # those of other sources stay
    assert msda_build.build(msda_library.parent) == msda_library
    assert set(msda_library.parent.glob("msda_cpu-*")) == before
    assert msda_library in before


def fake_compiler(folder: Path) -> Path:
    """A compiler that only writes its process number, slowly."""
    path = folder / "compiler"
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in --version) echo fake; exit;; esac\n'
        'echo called >>"$LOG"\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'sleep 0.1; echo $$ >"$2"\n'
    )
    path.chmod(0o755)
    return path


def test_processes_may_build_at_once(tmp_path: Path) -> None:
    compiler, log = fake_compiler(tmp_path), tmp_path / "log"
    with ThreadPoolExecutor(max_workers=3) as pool:
        runs = list(
            pool.map(lambda _: run_build(tmp_path, CXX=str(compiler), LOG=str(log)), range(3))
        )
    assert [run.returncode for run in runs] == [0, 0, 0], runs[0].stderr
    for name in ("libmsda_cpu.so", "libproducts_cpu.so"):
        assert (tmp_path / "out" / name).read_text().strip().isdigit()
    built = sorted((tmp_path / "focus_detr").iterdir())  # no half file is left
    assert [path.name.partition("-")[0] for path in built] == ["msda_cpu", "products_cpu"]
    calls = len(log.read_text().splitlines())
    assert run_build(tmp_path, CXX=str(compiler), LOG=str(log)).returncode == 0
    assert len(log.read_text().splitlines()) == calls


def test_another_compiler_gives_another_library(
    msda_build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prints = [msda_build.fingerprint([str(fake_compiler(tmp_path))], msda_build.MSDA)]
    prints.append(msda_build.fingerprint(["true"], msda_build.MSDA))
    monkeypatch.setattr(msda_build, "FLAGS", ("-O2",))
    prints.append(msda_build.fingerprint(["true"], msda_build.MSDA))
    sources = Path(shutil.copytree(msda_build.MSDA.sources, tmp_path / "sources"))
    (sources / "msda.h").write_text("changed")
    monkeypatch.setattr(msda_build.Library, "sources", sources)
    prints.append(msda_build.fingerprint(["true"], msda_build.MSDA))
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("variable", [{"CXX": "no-such-compiler"}, {"CXX": "", "PATH": "/none"}])
def test_without_a_compiler_there_is_one_sentence(tmp_path: Path, variable: dict) -> None:
    finished = run_build(tmp_path, **variable)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: no C++ compiler found (looked for ")
    assert "or set CXX" in finished.stderr and finished.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_failing_compiler_leaves_nothing_behind(tmp_path: Path) -> None:
    finished = run_build(tmp_path, CXX="false")
    assert finished.returncode == 2 and "error: false failed" in finished.stderr
    assert list((tmp_path / "focus_detr").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "focus_detr").write_text("a file is in the way")
    finished = run_build(tmp_path, CXX="true")
    assert finished.returncode == 2
    assert f"error: cannot write {tmp_path / 'focus_detr'}" in finished.stderr


def test_script_and_package_agree_on_places_and_interface(msda_build: ModuleType) -> None:
    assert msda_build.cache_folder() == native_library.cache_folder()
    assert msda_build.PACKAGE_FOLDER == ROOT / "src" / "focus_detr" / "ops" / "lib"
    assert native_library.package_folder().parts[-2:] == msda_build.PACKAGE_FOLDER.parts[-2:]
    assert library_module.FILES["CPU"] == msda_build.MSDA.file
    header = (msda_build.MSDA.sources / "msda.h").read_text()
    assert f"#define MSDA_INTERFACE {library_module.INTERFACE}\n" in header
    assert msda_build.PRODUCTS.file == products_library.FILE
    header = (msda_build.PRODUCTS.sources / "products.h").read_text()
    assert f"#define PRODUCTS_INTERFACE {products_library.INTERFACE}\n" in header


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setuptools needs of the repository."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("config", "custom_ops", "src"):
        ignored = shutil.ignore_patterns("lib", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


def build_package(checkout: Path, compiler: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"CXX": compiler, "XDG_CACHE_HOME": str(checkout / "cache")}
    variables["LOG"] = os.devnull
    command = [sys.executable, "setup.py", "-q", "build"]
    return subprocess.run(
        command, cwd=checkout, env=variables, capture_output=True, text=True, check=False
    )


def built_package(checkout: Path) -> Path:
    """Its folder is called after the platform where a library goes with it."""
    (folder,) = (checkout / "build").glob("lib*")
    return folder / "focus_detr"


def test_installing_builds_the_library(checkout: Path, tmp_path: Path) -> None:
    finished = build_package(checkout, str(fake_compiler(tmp_path)))
    assert finished.returncode == 0, finished.stderr
    package = built_package(checkout)
    assert (package / "ops" / "lib" / "libmsda_cpu.so").exists()
    assert (package / "ops" / "msda.py").exists()
    assert (package / "recipes" / "base.yaml").exists()


def test_installing_without_a_compiler_succeeds_and_says_so(checkout: Path) -> None:
    finished = build_package(checkout, "no-such-compiler")
    assert finished.returncode == 0
    assert "native operators run composed, no C++ compiler found" in finished.stderr
    package = built_package(checkout)
    assert (package / "ops" / "msda.py").exists() and (package / "recipes").is_dir()
    assert not (package / "ops" / "lib").exists()


def test_without_a_home_there_is_one_sentence(
    msda_build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(msda_build.BuildError, match="no home folder; set XDG_CACHE_HOME"):
        msda_build.cache_folder()


def test_the_home_folder_may_be_short(
    msda_build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert msda_build.user_folder("~/built") == tmp_path / "built"
    assert msda_build.user_folder("built") == Path("built")
