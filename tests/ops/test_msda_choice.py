"""Which implementation of deformable sampling a network gets, and what is said about it."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from mindspore import nn

from focus_detr.config.schema import ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.ops import msda_ascend, msda_choice, native_library
from focus_detr.ops import msda_library as library_module
from focus_detr.ops.msda_choice import build_sampling
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import FusedSampling
from focus_detr.ops.msda_library import OPERATORS, find_library
from focus_detr.ops.native_library import FUNCTIONS, LibraryError

NAME = "libmsda_cpu.so"


@pytest.fixture(autouse=True)
def empty_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable is set, neither folder holds a library, and nothing has been told yet."""
    monkeypatch.delenv(library_module.LIBRARY_VARIABLE, raising=False)
    monkeypatch.delenv(msda_choice.CHOICE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(native_library, "package_folder", lambda: tmp_path / "package")
    monkeypatch.setattr(msda_choice, "_told", set())


def build(setting: str) -> object:
    return build_sampling(setting, depth=32, heads=8, levels=4, points=4)


def put(library: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    return Path(shutil.copy(library, folder / NAME))


def test_auto_takes_the_library_that_is_there(msda_library: Path, tmp_path: Path) -> None:
    put(msda_library, tmp_path / "package")
    assert isinstance(build("auto"), FusedSampling)
    assert isinstance(build("custom"), FusedSampling)
    assert isinstance(build("composition").sample, ComposedSampling)


def test_places_are_searched_in_order(
    msda_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = put(msda_library, tmp_path / "cache" / "focus_detr")
    assert find_library("CPU") == cached
    packaged = put(msda_library, tmp_path / "package")
    assert find_library("CPU") == packaged
    chosen = put(msda_library, tmp_path / "chosen")
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(chosen))
    assert find_library("CPU") == chosen


def test_without_a_home_the_package_alone_is_searched(
    msda_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(LibraryError, match="this user has no home folder"):
        find_library("CPU")
    packaged = put(msda_library, tmp_path / "package")
    assert find_library("CPU") == packaged


@pytest.mark.parametrize(
    ("device", "name", "command"),
    [
        ("CPU", NAME, "`python custom_ops/build.py`"),
        ("GPU", "libmsda_gpu.so", "`python custom_ops/build.py --target cuda`"),
    ],
)
def test_without_a_library_auto_composes_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    name: str,
    command: str,
) -> None:
    monkeypatch.setattr(msda_choice.ms, "get_context", lambda name: device)
    with caplog.at_level(logging.WARNING):
        assert isinstance(build("auto"), PlacedSampling)
        build("auto")
    (message,) = caplog.messages
    assert f"{name} is neither in" in message and command in message


def test_a_forced_choice_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FocusDetrError, match=r"^model\.msda is custom, but .*neither in.*build"):
        build("custom")
    monkeypatch.setenv("FOCUS_DETR_MSDA", "custom")
    with pytest.raises(FocusDetrError, match=r"^FOCUS_DETR_MSDA is custom, but "):
        build("composition")


def test_the_environment_wins_and_is_checked(
    msda_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(msda_library, tmp_path / "package")
    monkeypatch.setenv("FOCUS_DETR_MSDA", "composition")
    assert isinstance(build("custom"), PlacedSampling)
    monkeypatch.setenv("FOCUS_DETR_MSDA", "fast")
    with pytest.raises(FocusDetrError, match="FOCUS_DETR_MSDA is fast, expected one of auto, bui"):
        build("auto")


@pytest.mark.parametrize("device", ["CPU", "GPU"])
def test_the_builtin_operator_by_force_is_an_error_elsewhere(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(msda_choice.ms, "get_context", lambda name: device)
    monkeypatch.setenv("FOCUS_DETR_MSDA", "builtin")
    with pytest.raises(FocusDetrError) as caught:
        build("auto")
    assert str(caught.value) == (
        "FOCUS_DETR_MSDA is builtin, but MindSpore's built-in operator runs on Ascend only, "
        f"not on {device}; choose auto, custom or composition"
    )


def test_the_setting_knows_every_choice() -> None:
    assert set(get_args(get_type_hints(ModelConfig)["msda"])) == set(msda_choice.CHOICES)


def reason() -> str:
    with pytest.raises(LibraryError) as caught:
        find_library("CPU")
    return str(caught.value)


def test_a_moved_library_is_named(
    msda_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = put(msda_library, tmp_path / "chosen")
    monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(chosen))
    chosen.rename(tmp_path / "elsewhere.so")
    put(msda_library, tmp_path / "package")  # what the user chose is not replaced silently
    assert reason() == f"FOCUS_DETR_MSDA_LIBRARY names {chosen}, which is not there"


def test_a_corrupt_library_is_named(msda_library: Path, tmp_path: Path) -> None:
    path = put(msda_library, tmp_path / "package")
    path.write_bytes(msda_library.read_bytes()[:5000])
    assert reason() == f"{path} is cut off"
    path.write_bytes(b"no library at all")
    assert reason().startswith(f"{path} cannot be loaded: ")
    path.write_bytes(b"")
    assert "file too short" in reason()
    assert isinstance(build("auto"), PlacedSampling)


def compile_library(msda_build: object, path: Path, source: str) -> None:
    path.parent.mkdir(parents=True)
    compiler = msda_build.find_compiler()  # type: ignore[attr-defined]
    command = [*compiler, "-shared", "-fPIC", "-xc++", "-", "-o", str(path)]
    subprocess.run(command, input=source, text=True, check=True)


def test_a_library_of_another_interface_is_refused(
    msda_build: object, msda_library: Path, tmp_path: Path
) -> None:
    functions = [operator + function for operator in OPERATORS for function in FUNCTIONS]
    source = "".join(f'extern "C" void {name}() {{}}\n' for name in functions)
    path = tmp_path / "package" / NAME
    compile_library(msda_build, path, source + 'extern "C" int msda_interface() { return 999; }\n')
    assert "has another interface than this package (999, expected" in reason()


def test_a_library_without_an_operator_is_refused(
    msda_build: object, msda_library: Path, tmp_path: Path
) -> None:
    compile_library(msda_build, tmp_path / "package" / NAME, "int nothing;\n")
    assert "lacks a function" in reason() and "MsdaForward" in reason()


def test_there_is_no_kernel_for_ascend() -> None:
    with pytest.raises(LibraryError, match="no native kernel for Ascend"):
        find_library("Ascend")


@pytest.fixture
def ascend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The device is said to be Ascend; where an installation of our operator would lie."""
    monkeypatch.setattr(msda_choice.ms, "get_context", lambda name: "Ascend")
    monkeypatch.setattr(msda_choice, "BuiltinSampling", Builtin)
    monkeypatch.setattr(msda_choice, "AscendSampling", Ours)
    folder = tmp_path / "vendors" / "focus_detr"
    monkeypatch.setenv("ASCEND_CUSTOM_OPP_PATH", f"{tmp_path}:{folder}:")
    monkeypatch.setenv("ASCEND_OPP_PATH", str(tmp_path))
    monkeypatch.setattr(msda_ascend.shutil, "which", lambda name: f"/usr/bin/{name}")
    return folder


class Builtin(nn.Cell):
    """Stands for the cell of MindSpore's primitive."""


class Ours(nn.Cell):
    """Stands for the cell of our operator."""


def test_ascend_takes_the_builtin_operator_unless_ours_is_chosen(ascend: Path) -> None:
    ascend.mkdir(parents=True)
    for setting, cell in (("auto", Builtin), ("builtin", Builtin), ("custom", Ours)):
        assert isinstance(build(setting).sample, cell)


@pytest.mark.parametrize("sizes", [(12, 8, 4, 4), (32, 17, 4, 4), (32, 8, 4, 17)])
def test_ascend_takes_our_operator_for_sizes_that_the_builtin_refuses(
    ascend: Path, caplog: pytest.LogCaptureFixture, sizes: tuple[int, int, int, int]
) -> None:
    ascend.mkdir(parents=True)
    names = dict(zip(("depth", "heads", "levels", "points"), sizes, strict=True))
    for setting in ("auto", "custom"):
        assert isinstance(build_sampling(setting, **names).sample, Ours)
    assert not caplog.messages
    words = r"^model\.msda is builtin, but the built-in operator .*; choose auto, custom or compo"
    with pytest.raises(FocusDetrError, match=words):
        build_sampling("builtin", **names)


def test_ascend_without_our_operator_composes_and_says_so_once(
    ascend: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        cell = build_sampling("auto", depth=12, heads=8, levels=4, points=4)
        assert isinstance(cell.sample, ComposedSampling)
    (message,) = caplog.messages
    assert "steps of 8 up to 256, not 12, and our operator is not installed (ASCEND_" in message
    assert "`python custom_ops/ascend/build.py --out FOLDER --install DIRECTORY`" in message
    words = r"^model\.msda is custom, but our operator is not installed .*, or build our operator"
    with pytest.raises(FocusDetrError, match=words):
        build("custom")


@pytest.mark.parametrize(
    ("variable", "found", "words"),
    [("", "g++", "ASCEND_OPP_PATH is not set"), ("/opp", None, "finds no g\\+\\+ to compile")],
)
def test_our_operator_for_ascend_needs_what_mindspore_compiles_with(
    ascend: Path, monkeypatch: pytest.MonkeyPatch, variable: str, found: str | None, words: str
) -> None:
    ascend.mkdir(parents=True)
    monkeypatch.setenv("ASCEND_OPP_PATH", variable)
    monkeypatch.setattr(msda_ascend.shutil, "which", lambda name: found)
    with pytest.raises(FocusDetrError, match=words):
        build("custom")
    assert isinstance(build("auto").sample, Builtin)


@pytest.mark.parametrize(
    ("depth", "points", "words"),
    [(264, 4, "up to 256 channels per head, not 264"), (32, 65, "levels times points, not 260")],
)
def test_ascend_composes_what_neither_operator_takes(
    ascend: Path, caplog: pytest.LogCaptureFixture, depth: int, points: int, words: str
) -> None:
    ascend.mkdir(parents=True)
    cell = build_sampling("auto", depth=depth, heads=8, levels=4, points=points)
    assert isinstance(cell.sample, ComposedSampling)
    (message,) = caplog.messages
    assert "the built-in operator" in message and words in message


def test_importing_the_package_loads_and_builds_nothing() -> None:
    script = (
        "import ctypes, subprocess\n"
        "def refuse(*a, **k): raise AssertionError(a)\n"
        "import mindspore\n"
        "ctypes.CDLL = subprocess.Popen.__init__ = refuse\n"
        "import focus_detr.models.factory\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
