"""Build the CUDA library of deformable attention.

    python custom_ops/build_cuda.py
    python custom_ops/build_cuda.py --arch 90 --out FOLDER

Needs nvcc 11.2 or later (NVCC, or one on the PATH, in CUDA_HOME or in /usr/local/cuda) and a C++17
compiler, but no GPU. Without --arch the library has code for compute capability 7.0 to 9.0, as far
as this nvcc knows them, and PTX for later ones. Cache and places are those of build.py.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from build import (
    EXIT_BAD_INPUT,
    MSDA,
    PACKAGE_FOLDER,
    BuildError,
    cache_folder,
    install,
    run_compiler,
    user_folder,
)

SOURCES = MSDA.sources
LIBRARY = "libmsda_gpu.so"
UNITS = ("msda_cuda.cu", "mindspore_entry.cc")
HEADERS = "*.cuh"
DEFAULT_HOME = "/usr/local/cuda"
WANTED = (70, 75, 80, 86, 89, 90)  # compute capabilities times ten

# The CUDA runtime is linked in and hidden: MindSpore brings another version of it.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-shared",
    "--threads=0",
    "--cudart=static",
    "-Xcompiler=-fPIC,-fvisibility=hidden",
    "-Xlinker=--exclude-libs=ALL",
)


def find_nvcc() -> str:
    """Path of nvcc.

    Raises:
        BuildError: there is none.
    """
    wanted = os.environ.get("NVCC")
    home = os.environ.get("CUDA_HOME") or DEFAULT_HOME
    names = [wanted] if wanted else ["nvcc", f"{home}/bin/nvcc", f"{DEFAULT_HOME}/bin/nvcc"]
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise BuildError(
        f"no nvcc found (looked for {', '.join(names)}): install the CUDA toolkit, or set NVCC"
    )


def known_architectures(nvcc: str) -> list[int]:
    """Those of ``WANTED`` that this nvcc can build, ascending.

    Raises:
        BuildError: it knows none.
    """
    listing = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=False)
    known = {int(number) for number in re.findall(r"compute_(\d+)", listing.stdout)}
    wanted = [number for number in WANTED if number in known]
    if not wanted:
        raise BuildError(f"{nvcc} knows none of the compute capabilities {WANTED}")
    return wanted


def code_flags(architectures: Sequence[int]) -> list[str]:
    """Machine code for each, and PTX of the last one."""
    flags = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in architectures]
    last = architectures[-1]
    return [*flags, f"-gencode=arch=compute_{last},code=compute_{last}"]


def fingerprint(nvcc: str, flags: Sequence[str]) -> str:
    """Changes with every source, flag and compiler."""
    version = subprocess.run([nvcc, "--version"], capture_output=True, check=False).stdout
    parts = [repr(flags).encode(), version]
    sources = [SOURCES / unit for unit in UNITS]
    for path in sorted([*sources, *SOURCES.glob(HEADERS), *SOURCES.glob("*.h")]):
        parts += [path.name.encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def build(cache: Path, architectures: Sequence[int] = ()) -> Path:
    """Build into a cache, unless it holds the library already.

    Args:
        cache: is made if missing.
        architectures: compute capabilities times ten, ascending; all that nvcc knows if empty.

    Returns:
        The library.

    Raises:
        BuildError: no nvcc, it failed, or the cache cannot be written.
    """
    nvcc = find_nvcc()
    flags = [*FLAGS, *code_flags(architectures or known_architectures(nvcc))]
    library = cache / f"msda_gpu-{fingerprint(nvcc, flags)}.so"
    if library.exists():
        return library
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
            part = Path(folder) / LIBRARY
            sources = [str(SOURCES / unit) for unit in UNITS]
            run_compiler([nvcc, *flags, *sources, "-o", str(part)])
            os.replace(part, library)
    except OSError as error:
        raise BuildError(f"cannot write {error.filename or cache}: {error.strerror}") from error
    return library


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 2 if the library cannot be built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=user_folder, help="put the library here instead")
    parser.add_argument(
        "--arch",
        type=int,
        action="append",
        default=[],
        help="compute capability times ten, such as 90; may be repeated",
    )
    arguments = parser.parse_args(argv)
    try:
        library = build(cache_folder(), sorted(arguments.arch))
        targets = [arguments.out] if arguments.out else [cache_folder(), PACKAGE_FOLDER]
        for target in targets:
            print(install(library, target, LIBRARY))
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
