"""Which packages are installed, whether they fit, and whether they can be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

OURS = "focus-detr"
CORE = {  # what everything needs, and the module of each
    "mindspore": "mindspore",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "psutil": "psutil",
    "pycocotools": "pycocotools.mask",
    "pyyaml": "yaml",
    "safetensors": "safetensors",
    "scipy": "scipy.optimize",
    "tensorboardX": "tensorboardX",
    "tqdm": "tqdm",
}
_TWINS = {  # distributions that bring the same module
    "opencv-python-headless": (
        *("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    )
}
_SECONDS = 120
_IMPORT = """
import importlib, os, sys
sys.path[:] = [place for place in sys.path if place]
told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print is no answer
for name in sys.argv[1:]:
    print(name, end="\\t", file=told, flush=True)
    try:
        importlib.import_module(name)
        print(file=told, flush=True)
    except BaseException as error:
        print(type(error).__name__ + ":", *str(error).split()[:40], file=told, flush=True)
"""


@dataclass(frozen=True)
class Package:
    """An installed or missing package."""

    name: str
    version: str | None  # None: not installed
    problem: str | None = None  # why it cannot be used; None: it can
    remedy: str | None = (
        None  # what to install instead, such as ``numpy<2``; None: nothing would help
    )

    @property
    def fine(self) -> bool:
        """Whether it can be used."""
        return self.problem is None


def core_packages() -> list[Package]:
    """What everything needs: installed, within the limits of this package, and importable."""
    limits = _limits()
    installed = {name: version_of(name) for name in CORE}
    here = [CORE[name] for name, version in installed.items() if version is not None]
    broken = import_problems(here)
    return [
        _judged(name, version, limits.get(name, ""), broken.get(CORE[name]))
        for name, version in installed.items()
    ]


def version_of(name: str) -> str | None:
    """Version of an installed distribution; None: it is not here."""
    for known in (name, *_TWINS.get(name, ())):
        try:
            return metadata.version(known)
        except metadata.PackageNotFoundError:
            continue
    return None


def missing_modules(names: Iterable[str]) -> list[str]:
    """Those of the modules that are not installed."""
    return [name for name in names if find_spec(name) is None]


def import_problems(modules: Iterable[str]) -> Mapping[str, str]:
    """Import each in another process, as a library may print, raise anything or kill Python.

    Returns:
        What went wrong, for each module that cannot be imported.
    """
    waiting, problems = list(modules), {}
    while waiting:
        told, ending = _run([sys.executable, "-c", _IMPORT, *waiting])
        lines = [line.partition("\t") for line in told.splitlines() if "\t" in line]
        ends = [name for name, _, _ in lines if name in waiting]
        problems.update({name: said.strip() for name, _, said in lines if said.strip()})
        if len(ends) == len(waiting) and not ending:
            break
        fatal = ends[-1] if ends else waiting[0]
        problems[fatal] = f"importing it {ending or 'ends Python'}"
        waiting = waiting[waiting.index(fatal) + 1 :]
    return problems


def _run(command: list[str]) -> tuple[str, str]:
    """What a process printed, and how it ended if not well."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        return output.decode(errors="replace"), f"takes more than {_SECONDS} seconds"
    return done.stdout, f"ends Python with status {done.returncode}" if done.returncode else ""


def _judged(name: str, version: str | None, limit: str, broken: str | None) -> Package:
    if version is None:
        return Package(name, None, "it is not installed", f"{name}{limit}")
    if not _fits(version, limit):
        return Package(name, version, f"this package needs {limit}", f"{name}{limit}")
    return Package(name, version, broken)


def _limits() -> dict[str, str]:
    """The versions that this package asks for, where that can be known."""
    try:
        asked = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:  # it was not installed, only put on the path
        return {}
    found = [re.fullmatch(r"([\w.-]+)([^;]*)", text) for text in asked]  # none of an extra
    return {item[1]: item[2] for item in found if item is not None}


def _fits(version: str, limit: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # it comes with MindSpore
        return True
    return SpecifierSet(limit).contains(version, prereleases=True)
