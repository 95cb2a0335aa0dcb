"""What can be done with what is here."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from focus_detr.doctor.devices import Devices
from focus_detr.process.program import install_command
from focus_detr.process.requirements import Package, missing_modules

MINDSPORE = "mindspore"
ONNX_RUNTIME = "onnxruntime"
ENGINES = ("openvino", ONNX_RUNTIME)  # as deploy.engine_options has them, which loads libraries
_ONLY_FOR_NETWORKS = (MINDSPORE, "pycocotools", "scipy", "tensorboardX")


@dataclass(frozen=True)
class Task:
    """Something that users do."""

    name: str
    missing: tuple[str, ...]  # what it needs and cannot use; empty: it can be done
    advice: str | None = None  # what brings it
    needed: bool = False  # whether the package is of little use without it

    @property
    def works(self) -> bool:
        """Whether it can be done."""
        return not self.missing


def judge(core: Sequence[Package], devices: Devices) -> list[Task]:
    """What works, and what is missing for what does not.

    Args:
        core: what everything needs.
        devices: what MindSpore says.
    """
    broken = [item.name for item in core if not item.fine]
    if devices.problem is not None and MINDSPORE not in broken:
        broken.append(MINDSPORE)
    network, light = tuple(broken), tuple(n for n in broken if n not in _ONLY_FOR_NETWORKS)
    return [
        Task("train, evaluate, detect", network, _remedy(core), needed=True),
        _workers(network),
        _engine("detect with ONNX files", light, ()),
        _engine("export to ONNX", network, ("onnx",)),
        _extra("the same with OpenVINO", light, ("openvino",), "openvino"),
        _extra("web page (demo)", light, ("starlette", "uvicorn"), "demo"),
        _extra("curves of a run", (), ("matplotlib",), "plots"),
        _extra("the paper's figures", network, ("matplotlib",), "plots"),
        _documented("MindSpore Lite files", light, "mindspore_lite", "docs/deploy.md"),
        _documented("to_supervision", light, "supervision", "docs/python.md"),
    ]


def _remedy(core: Sequence[Package]) -> str | None:
    wanted = [shlex.quote(item.remedy) for item in core if item.remedy is not None]
    return f"pip install {' '.join(wanted)}" if wanted else None


def _workers(others: tuple[str, ...]) -> Task:
    if shutil.which("msrun"):
        return Task("several workers", others)
    advice = None if others else "source .venv/bin/activate, or where else it is, for your PATH"
    return Task("several workers", (*others, "msrun"), advice)


def _extra(name: str, others: tuple[str, ...], modules: tuple[str, ...], extra: str) -> Task:
    lacking = tuple(missing_modules(modules))
    return Task(name, others + lacking, install_command(extra) if lacking else None)


def _engine(name: str, others: tuple[str, ...], modules: tuple[str, ...]) -> Task:
    """What some engine for ONNX files is enough for."""
    none = len(missing_modules(ENGINES)) == len(ENGINES)
    return _extra(name, others, modules + ((ONNX_RUNTIME,) if none else ()), "onnx")


def _documented(name: str, others: tuple[str, ...], module: str, document: str) -> Task:
    lacking = tuple(missing_modules((module,)))
    return Task(name, others + lacking, f"{document} tells how to install it" if lacking else None)
