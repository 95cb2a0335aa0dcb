"""The products library for Arm: its sources compile, and an emulator runs its loops."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CROSS_COMPILER = "aarch64-linux-gnu-g++"  # Debian's g++-aarch64-linux-gnu
EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")  # qemu-user, qemu-user-static
PROGRAM = Path(__file__).with_name("products_loops.cc")


def compile_program(build: ModuleType, compiler: list[str], machine: str, folder: Path) -> Path:
    """The program with the library's sources; the entry points for MindSpore compiled too."""
    objects = []
    for unit in build.PRODUCTS.units(machine):
        target = folder / unit.target
        options = [*build.FLAGS, build.THREADS, *unit.flags, "-c"]
        source = str(build.PRODUCTS.sources / unit.source)
        build.run_compiler([*compiler, *options, source, "-o", str(target)])
        objects.append(str(target))
    program = folder / "program"
    options = ["-std=c++17", build.THREADS, f"-I{build.PRODUCTS.sources}"]
    linked = [str(PROGRAM), *objects, "-ldl", "-o", str(program)]
    static = ["-static"] if machine == "aarch64" else []
    build.run_compiler([*compiler, *options, *static, *linked])
    return program


def output_of(command: list[str]) -> str:
    """What the program prints; it fails where a number is wrong."""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_this_processor_gets_the_right_numbers(
    msda_build: ModuleType, msda_library: Path, tmp_path: Path
) -> None:
    program = compile_program(msda_build, msda_build.find_compiler(), os.uname().machine, tmp_path)
    assert output_of([str(program)]) in ("baseline", "avx2", "avx512")


@pytest.mark.skipif(shutil.which(CROSS_COMPILER) is None, reason=f"no {CROSS_COMPILER}")
def test_an_emulated_arm_processor_gets_the_right_numbers(
    msda_build: ModuleType, tmp_path: Path
) -> None:
    program = compile_program(msda_build, [CROSS_COMPILER], "aarch64", tmp_path)
    emulator = next((name for name in EMULATORS if shutil.which(name)), None)
    if emulator is None:
        pytest.skip(f"compiled, but not run: there is no {' or '.join(EMULATORS)}")
    assert output_of([emulator, str(program)]) == "baseline"
