"""Native products where something around them is odd: oneDNN, a fork, another processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from focus_detr.ops import products_library
from focus_detr.ops.native_library import LibraryError

FORKED = Path(__file__).resolve().parents[1] / "products_after_fork.py"
OPENING = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.products_open.restype = ctypes.c_char_p
print((library.products_open(sys.argv[2].encode()) or b"").decode())
"""
VERSIONED = """
struct Version { int major, minor, patch; const char *hash; unsigned cpu, gpu; };
const struct Version *dnnl_version(void) {
  static const struct Version version = {MAJOR, 1, 0, "", RUNTIME, 0};
  return &version;
}
int dnnl_engine_create(void) { return ENGINE; }
"""


@pytest.fixture
def library() -> Path:
    """The native library, which needs no MindSpore to be loaded."""
    try:
        return products_library.find_products()
    except LibraryError as error:
        pytest.skip(f"no native products here: {error}")


def functions() -> list[str]:
    """Every function of oneDNN that is asked for but the first."""
    header = Path(__file__).resolve().parents[2] / "custom_ops" / "products" / "onednn.h"
    lines = header.read_text(encoding="utf-8").splitlines()
    names = [line.split("(")[1].split(",")[0] for line in lines if line.startswith("  X(")]
    return [f"dnnl_{name}" for name in names if name != "engine_create"]


def stand_in(folder: Path, names: list[str], **values: int) -> Path:
    """A library of some functions of oneDNN that do nothing."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, target = folder / "onednn.c", folder / "libstandin.so"
    rest = "".join(f"int {name}(void) {{ return 0; }}\n" for name in names)
    source.write_text(VERSIONED + rest)
    settings = {"MAJOR": 3, "RUNTIME": 8, "ENGINE": 0} | values
    defines = [f"-D{name}={value}" for name, value in settings.items()]
    command = [compiler, "-shared", "-fPIC", *defines, str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return target


def problem(library: Path, onednn: Path) -> str:
    """What the library says about a oneDNN, in a process without MindSpore's."""
    command = [sys.executable, "-c", OPENING, str(library), str(onednn)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"MAJOR": 2}, "oneDNN has version 2, expected 3"),
        ({"MAJOR": 4}, "oneDNN has version 4, expected 3"),
        ({"RUNTIME": 2}, "oneDNN was built with threads of its own"),
        ({"ENGINE": 5}, "oneDNN has no engine for this processor"),
        ({}, ""),
    ],
)
def test_another_onednn(
    library: Path, tmp_path: Path, values: dict[str, int], sentence: str
) -> None:
    assert problem(library, stand_in(tmp_path, functions(), **values)) == sentence


def test_a_function_is_missing(library: Path, tmp_path: Path) -> None:
    *others, last = functions()
    assert problem(library, stand_in(tmp_path, others)) == f"oneDNN lacks {last}"


def test_there_is_no_onednn(library: Path, tmp_path: Path) -> None:
    assert "cannot open shared object file" in problem(library, tmp_path / "none.so")


@pytest.mark.usefixtures("library")
def test_a_forked_process_computes_the_same() -> None:
    command = [sys.executable, str(FORKED)]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
