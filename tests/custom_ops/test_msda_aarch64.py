"""The CPU kernels for Arm: the sources include nothing of x86, and an emulator runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CROSS_COMPILER = "aarch64-linux-gnu-g++"  # Debian's g++-aarch64-linux-gnu
EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")  # qemu-user, qemu-user-static
PROGRAM = Path(__file__).with_name("msda_sanitized.cc")


def included_files(build: ModuleType, source: str) -> list[Path]:
    """Every header, of the system too, that a source reads where the processor is no x86."""
    command = [*build.find_compiler(), "-std=c++17", "-M", str(build.MSDA.sources / source)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return [Path(word) for word in finished.stdout.split()[1:] if word != "\\"]


def test_no_header_of_x86_is_included(msda_build: ModuleType, msda_library: Path) -> None:
    for unit in msda_build.MSDA.units("aarch64"):
        files = included_files(msda_build, unit.source)
        assert msda_build.MSDA.sources / "msda.h" in files
        assert not [file.name for file in files if file.name.endswith("intrin.h")]


def test_no_flag_of_x86_is_used(msda_build: ModuleType) -> None:
    flags = {flag for unit in msda_build.MSDA.units("aarch64") for flag in unit.flags}
    assert flags == {"-DMSDA_TABLE=kBaselineKernels"}


def compile_for_arm(build: ModuleType, folder: Path) -> Path:
    """The test program with the kernels, and the entry points for MindSpore compiled too."""
    objects = []
    for unit in build.MSDA.units("aarch64"):
        target = folder / unit.target
        options = [*build.FLAGS, build.THREADS, *unit.flags, "-c"]
        source = str(build.MSDA.sources / unit.source)
        build.run_compiler([CROSS_COMPILER, *options, source, "-o", str(target)])
        if "mindspore" not in unit.source:
            objects.append(str(target))
    program = folder / "program"
    options = ["-std=c++17", build.THREADS, "-static", f"-I{build.MSDA.sources}"]
    build.run_compiler([CROSS_COMPILER, *options, str(PROGRAM), *objects, "-o", str(program)])
    return program


@pytest.mark.skipif(shutil.which(CROSS_COMPILER) is None, reason=f"no {CROSS_COMPILER}")
def test_an_emulated_arm_processor_gets_the_right_numbers(
    msda_build: ModuleType, tmp_path: Path
) -> None:
    program = compile_for_arm(msda_build, tmp_path)
    emulator = next((name for name in EMULATORS if shutil.which(name)), None)
    if emulator is None:
        pytest.skip(f"compiled, but not run: there is no {' or '.join(EMULATORS)}")
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [emulator, str(program)]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (finished.returncode, finished.stdout) == (0, "baseline\n"), finished.stderr
