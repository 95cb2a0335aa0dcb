"""Whether the packages that everything needs fit, and whether they can be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from focus_detr.process.requirements import CORE, Package, installed_packages

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


def core_packages() -> list[Package]:
    """What everything needs: installed, within the limits of this package, and importable."""
    found = installed_packages()
    broken = import_problems(CORE[item.name] for item in found if item.version is not None)
    return [
        replace(item, problem=broken.get(CORE[item.name])) if item.fine else item for item in found
    ]


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
