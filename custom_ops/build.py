"""Build the native libraries: deformable attention, and products with what stands around them.

    python custom_ops/build.py
    python custom_ops/build.py --out FOLDER
    python custom_ops/build.py --target cuda

Needs a C++17 compiler (CXX, g++ or clang++) and Python's standard library. The libraries lie in the
user's cache under names that follow from sources, flags and compiler, so a second call builds
nothing; several processes may build at once. Copies go where the package looks for them (or to
FOLDER), and their paths are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PACKAGE_FOLDER = FOLDER.parent / "src" / "focus_detr" / "ops" / "lib"
COMPILERS = ("g++", "clang++", "c++")
EXIT_BAD_INPUT = 2

# Not -ffast-math: it changes how the whole process treats tiny numbers, and NaN must stay NaN.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
)
AVX2 = ("-mavx2", "-mfma")
AVX512 = (*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
THREADS = "-fopenmp"


class BuildError(Exception):
    """The library cannot be built here; the text says why in one sentence."""


@dataclass(frozen=True)
class Unit:
    """One call of the compiler."""

    source: str
    target: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """One library: ``variants`` is compiled once for each instruction set, its other files once."""

    name: str  # of its folder; in capitals the prefix of its macros
    variants: str
    table: str  # what a variant fills: with the instruction set's name inside

    @property
    def sources(self) -> Path:
        """The folder."""
        return FOLDER / self.name

    @property
    def file(self) -> str:
        """Name of the library."""
        return f"lib{self.name}_cpu.so"

    def units(self, machine: str) -> list[Unit]:
        """What to compile for a processor family; x86-64 gets a variant per instruction set."""
        is_x86 = machine.lower() in ("x86_64", "amd64")
        sets = {"Baseline": (), "Avx2": AVX2, "Avx512": AVX512} if is_x86 else {"Baseline": ()}
        macro = self.name.upper()
        flags = (f"-D{macro}_X86",) if is_x86 else ()
        others = sorted(file for file in self.sources.glob("*.cc") if file.name != self.variants)
        return [
            *(
                Unit(
                    self.variants,
                    f"{name.lower()}.o",
                    (f"-D{macro}_TABLE={self.table.format(name)}", *of_set),
                )
                for name, of_set in sets.items()
            ),
            *(Unit(file.name, f"{file.stem}.o", flags) for file in others),
        ]


MSDA = Library("msda", "kernels.cc", "k{}Kernels")
PRODUCTS = Library("products", "loops.cc", "k{}Loops")
LIBRARIES = (MSDA, PRODUCTS)


def find_compiler() -> list[str]:
    """The command that compiles C++.

    Raises:
        BuildError: there is none.
    """
    wanted = shlex.split(os.environ.get("CXX", ""))
    for command in [wanted] if wanted else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            return command
    looked = wanted[0] if wanted else ", ".join(COMPILERS)
    raise BuildError(
        f"no C++ compiler found (looked for {looked}): install one, on Debian with "
        "`apt install g++`, or set CXX"
    )


def cache_folder() -> Path:
    """Where built libraries lie, of this user.

    ``focus_detr.ops.native_library`` looks there; it says so itself, as this script runs where the
    package is not installed yet, and a test compares the two.

    Raises:
        BuildError: there is no such place.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise BuildError("this user has no home folder; set XDG_CACHE_HOME") from error
    return Path(base) / "focus_detr"


def fingerprint(compiler: Sequence[str], library: Library) -> str:
    """Changes with every source, flag, compiler and processor family."""
    version = subprocess.run([*compiler, "--version"], capture_output=True, check=False).stdout
    parts = [repr((compiler, FLAGS, THREADS, library.units(platform.machine()))).encode(), version]
    for path in sorted(library.sources.glob("*.[ch]*")):
        parts += [path.name.encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def build(cache: Path, library: Library = MSDA) -> Path:
    """Build into a cache, unless it holds the library already.

    Args:
        cache: is made if missing.
        library: which one.

    Returns:
        The library.

    Raises:
        BuildError: no compiler, it failed, or the cache cannot be written.
    """
    compiler = find_compiler()
    built = cache / f"{library.name}_cpu-{fingerprint(compiler, library)}.so"
    if built.exists():
        return built
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
            os.replace(_compile_and_link(compiler, library, Path(folder)), built)
    except OSError as error:
        raise BuildError(f"cannot write {error.filename or cache}: {error.strerror}") from error
    return built


def install(library: Path, folder: Path, name: str = MSDA.file) -> Path:
    """Copy a library to where the package looks for it, whole or not at all.

    Args:
        library: what to copy.
        folder: is made if missing.
        name: of the copy.

    Raises:
        BuildError: the folder cannot be written.
    """
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="installing-") as part:
            os.replace(shutil.copy(library, part), target)
    except OSError as error:
        raise BuildError(f"cannot write {error.filename or target}: {error.strerror}") from error
    return target


def install_all(folders: Sequence[Path]) -> list[Path]:
    """Build every library and copy it into folders; the copies.

    Raises:
        BuildError: as ``build`` and ``install``.
    """
    return [
        install(build(cache_folder(), library), folder, library.file)
        for library in LIBRARIES
        for folder in folders
    ]


def _compile_and_link(compiler: Sequence[str], library: Library, folder: Path) -> Path:
    """With threads where the compiler knows OpenMP, otherwise without."""
    parts = library.units(platform.machine())
    threads = (THREADS,) if _knows_openmp(compiler, folder) else ()

    def compile_unit(unit: Unit) -> None:
        source, target = str(library.sources / unit.source), str(folder / unit.target)
        run_compiler([*compiler, *FLAGS, *threads, *unit.flags, "-c", source, "-o", target])

    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        list(pool.map(compile_unit, parts))
    objects = [str(folder / unit.target) for unit in parts]
    linked = folder / library.file
    run_compiler([*compiler, "-shared", *threads, *objects, "-ldl", "-o", str(linked)])
    return linked


def _knows_openmp(compiler: Sequence[str], folder: Path) -> bool:
    probe = folder / "probe.cc"
    probe.write_text("#include <omp.h>\nint threads() { return omp_get_max_threads(); }\n")
    command = [*compiler, "-shared", "-fPIC", THREADS, str(probe), "-o", str(folder / "probe.so")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_compiler(command: Sequence[str]) -> None:
    """Run one command.

    Raises:
        BuildError: it failed; the text has its first error.
    """
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = [line for line in finished.stderr.splitlines() if "error" in line]
        reason = (lines or finished.stderr.splitlines() or ["no message"])[0]
        raise BuildError(f"{command[0]} failed: {reason.strip()}")


def user_folder(text: str) -> Path:
    """A folder from the command line; ``~`` is the home folder."""
    return Path(os.path.expanduser(text))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 2 if the library cannot be built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_folder, help="put the libraries here instead")
    parser.add_argument(
        "--target", choices=("cpu", "cuda"), default="cpu", help="cuda: as build_cuda.py (cpu)"
    )
    arguments = parser.parse_args(argv)
    if arguments.target == "cuda":
        from build_cuda import main as build_cuda  # beside this script

        return build_cuda(["--out", str(arguments.out)] if arguments.out else [])
    try:
        targets = [arguments.out] if arguments.out else [cache_folder(), PACKAGE_FOLDER]
        for path in install_all(targets):
            print(path)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
