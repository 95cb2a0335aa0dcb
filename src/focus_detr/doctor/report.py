"""All findings together, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import focus_detr
from focus_detr.config.recipes import recipe_folder, recipe_names
from focus_detr.doctor.devices import (
    Devices,
    ask_mindspore,
    chosen_attention,
    native_operators,
    products_problem,
    without_mindspore,
)
from focus_detr.doctor.machine import Machine, in_words
from focus_detr.doctor.packages import core_packages
from focus_detr.doctor.tasks import Task, judge
from focus_detr.process.requirements import Package
from focus_detr.process.runtime import THREADS_VARIABLE

_GOOD, _BAD, _LESS = "ok", "!!", "--"


@dataclass(frozen=True)
class Report:
    """What is here."""

    machine: Machine
    packages: tuple[Package, ...]
    devices: Devices
    operators: dict[str, str | None]  # of deformable attention, by kind of device, why not
    products: str | None  # why the native ones of a CPU cannot be used
    tasks: tuple[Task, ...]

    @classmethod
    def here(cls) -> Report:
        """Look at everything; takes some seconds, in which MindSpore loads."""
        packages = tuple(core_packages())
        problem = next(item.problem for item in packages if item.name == "mindspore")
        devices = ask_mindspore() if problem is None else without_mindspore(problem)
        tasks = tuple(judge(packages, devices))
        native = native_operators(), products_problem()
        return cls(Machine.here(), packages, devices, *native, tasks)

    @property
    def healthy(self) -> bool:
        """Whether training and detection can work."""
        return all(task.works for task in self.tasks if task.needed)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "healthy": self.healthy,
            "focus_detr": {
                "version": focus_detr.__version__,
                "folder": _package_folder(),
                "settings": str(recipe_folder()),
            },
            "machine": asdict(self.machine),
            "packages": {
                item.name: {"version": item.version, "problem": item.problem}
                for item in self.packages
            },
            "devices": asdict(self.devices),
            "deformable_attention": {
                "forced": chosen_attention(),
                "native": {device: {"problem": why} for device, why in self.operators.items()},
            },
            "products": {"native": {"CPU": {"problem": self.products}}},
            "tasks": {
                task.name: {
                    "works": task.works,
                    "missing": list(task.missing),
                    "advice": task.advice,
                }
                for task in self.tasks
            },
        }

    def __str__(self) -> str:
        """For people."""
        sections = {
            "Here": self._here(),
            "Packages": (_line(_mark(item.fine), item.name, _of(item)) for item in self.packages),
            "Devices": self._devices(),
            "Deformable attention": self._attention(),
            "Products": self._products(),
            "What works": self._tasks(),
        }
        blocks = ["\n".join([title, *lines]) for title, lines in sections.items()]
        return "\n\n".join([*blocks, self._verdict()])

    def _here(self) -> Iterator[str]:
        machine = self.machine
        names = len(recipe_names())
        yield _line("", "focus-detr", f"{focus_detr.__version__} in {_package_folder()}")
        yield _line("", "settings", f"{names} by name in {recipe_folder()}")
        yield _line("", "Python", f"{machine.python}, {machine.executable}")
        yield _line("", "system", machine.system)
        threads = f"{THREADS_VARIABLE} {machine.threads or 'not set'}"
        yield _line("", "cores", f"{machine.cores}, {threads}")
        free, whole = in_words(machine.free_memory), in_words(machine.memory)
        yield _line("", "memory", f"{free} free of {whole}")
        yield _line("", "disk", f"{in_words(machine.free_disk)} free in {machine.folder}")

    def _devices(self) -> Iterator[str]:
        if self.devices.problem is not None:
            yield _line(_BAD, "mindspore", self.devices.problem)
            return
        for name, count in self.devices.counts.items():
            reason = self.devices.reasons.get(name, "none found")
            chosen = " (chosen without --device)" if name == self.devices.best else ""
            yield _line(_mark(count, _LESS), name, f"{count}{chosen}" if count else reason)

    def _attention(self) -> Iterator[str]:
        if forced := chosen_attention():
            yield _line("", "forced", f"FOCUS_DETR_MSDA is {forced}")
        for device, problem in self.operators.items():
            found = problem or "native operator found"
            wanted = self.devices.counts.get(device) or device == "CPU"
            mark = _mark(wanted and problem is None, _LESS)
            yield _line(mark, device, found if wanted else "no such device")

    def _products(self) -> Iterator[str]:
        found = self.products or "native operators found"
        yield _line(_mark(self.products is None, _LESS), "CPU", found)

    def _tasks(self) -> Iterator[str]:
        for task in self.tasks:
            bad = _BAD if task.needed else _LESS
            told = f"needs {', '.join(task.missing)}" if task.missing else "yes"
            yield _line(_mark(task.works, bad), task.name, told)
            if task.advice:
                yield _line("", "", f"-> {task.advice}")

    def _verdict(self) -> str:
        return (
            "Training and detection can work here."
            if self.healthy
            else f"Training and detection cannot work here: see the lines with {_BAD}."
        )


def _line(mark: str, name: str, text: str) -> str:
    return f"  {mark:<3}{name:<24}{text}".rstrip()


def _mark(fine: object, bad: str = _BAD) -> str:
    return _GOOD if fine else bad


def _of(package: Package) -> str:
    parts: Iterable[str | None] = (package.version, package.problem)
    return ": ".join(part for part in parts if part)


def _package_folder() -> str:
    return str(Path(focus_detr.__file__).parent)
