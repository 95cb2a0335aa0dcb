"""The kernels under the address and undefined-behaviour sanitizers, in a program of their own."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).with_name("msda_sanitized.cc")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FLAGS = ("-std=c++17", "-O0", "-g1", "-fopenmp", "-DMSDA_WATCHED", *SANITIZERS)


def compile_program(build: ModuleType, compiler: Sequence[str], folder: Path) -> Path:
    """Kernels of all variants and the test program, instrumented."""
    program = folder / "msda_sanitized"
    commands = []
    units = [
        unit for unit in build.MSDA.units(platform.machine()) if "mindspore" not in unit.source
    ]
    for unit in [*units, build.Unit(str(PROGRAM), "program.o", (f"-I{build.MSDA.sources}",))]:
        source, target = build.MSDA.sources / unit.source, folder / unit.target
        commands.append([*compiler, *FLAGS, *unit.flags, "-c", str(source), "-o", str(target)])

    def run(command: Sequence[str]) -> None:
        subprocess.run(command, check=True)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(run, commands))
    run([*compiler, *FLAGS, *(command[-1] for command in commands), "-o", str(program)])
    return program


@pytest.fixture(scope="module")
def program(msda_build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sanitized")
    try:
        compiler = msda_build.find_compiler()
    except msda_build.BuildError as error:
        pytest.skip(str(error))
    probe = folder / "probe.cc"
    probe.write_text("int main() { return 0; }\n")
    command = [*compiler, *FLAGS, str(probe), "-o", str(folder / "probe")]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"{compiler[0]} has no sanitizers or no OpenMP here")
    return compile_program(msda_build, compiler, folder)


@pytest.mark.parametrize("variant", ["baseline", "avx2", "avx512"])
def test_kernels_neither_leave_their_memory_nor_the_language(program: Path, variant: str) -> None:
    environment = os.environ | {"FOCUS_DETR_MSDA_VARIANT": variant, "OMP_NUM_THREADS": "2"}
    # the process ends with libgomp's threads still there, which is no leak of ours
    environment["ASAN_OPTIONS"] = "detect_leaks=0"
    finished = subprocess.run(
        [program], capture_output=True, text=True, env=environment, check=False
    )
    assert finished.returncode == 0, finished.stderr
    if finished.stdout.strip() != variant:
        pytest.skip(f"this processor has no {variant}")
