"""Which engine runs an exported file, and how, as far as the user chooses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from focus_detr.deploy.sidecar import ONNX, Graph
from focus_detr.errors import FocusDetrError
from focus_detr.process.program import install_command
from focus_detr.process.requirements import missing_modules

OPENVINO, ONNX_RUNTIME = "openvino", "onnxruntime"  # names of their modules, too
ENGINES = (OPENVINO, ONNX_RUNTIME)  # for ONNX files; the quicker one first
_NAMES_AND_EXTRAS = {OPENVINO: ("OpenVINO", "openvino"), ONNX_RUNTIME: ("ONNX Runtime", "onnx")}
Precision = Literal["f32", "bf16", "f16"]
PRECISIONS: tuple[Precision, ...] = ("f32", "bf16", "f16")
_OF_CHECKPOINTS: tuple[Precision | None, ...] = (None, "f32", "bf16")
_ONLY_ENGINES = {"mindspore": "MindSpore", "lite": "MindSpore Lite"}  # of files that have no choice


@dataclass(frozen=True)
class EngineOptions:
    """What the user asks of the engine; None where nothing was said."""

    engine: str | None = None  # of ``ENGINES``; None: the quickest that is installed
    precision: Precision | None = None  # of OpenVINO, or of a checkpoint on a CPU; None: f32
    graphs: str | None = None  # folder in which OpenVINO's compiled models are kept
    as_written: bool = False  # without operators of our own in place of the file's

    def __post_init__(self) -> None:
        """Refuse what no engine takes, and what does not go together.

        Raises:
            FocusDetrError: naming it.
        """
        for name, value, known in (
            ("engine", self.engine, ENGINES),
            ("precision", self.precision, PRECISIONS),
        ):
            if value is not None and value not in known:
                raise FocusDetrError(f"unknown {name} {value}, expected one of {', '.join(known)}")
        if self.graphs == "":
            raise FocusDetrError("the folder of --graphs has an empty name")
        given = self._given(engine=False)
        if self.engine not in (None, OPENVINO) and given:
            raise FocusDetrError(
                f"{given} is for OpenVINO: leave it out, or choose --engine {OPENVINO}"
            )

    def refuse_for_checkpoint(self) -> None:
        """Refuse what a checkpoint cannot follow, which MindSpore runs.

        Raises:
            FocusDetrError: an engine is chosen, or a precision that only engines have.
        """
        precision = None if self.precision in _OF_CHECKPOINTS else self.precision
        for name, value in (("--engine", self.engine), ("--precision", precision)):
            if value is not None:
                raise FocusDetrError(
                    f"{name} {value} is for exported files: leave it out, or export the checkpoint "
                    f"to a file that ends in {ONNX} and give that with --model"
                )

    def engine_of(self, path: Path, graph: Graph) -> str:
        """What runs a file: ``mindspore``, ``lite`` or one of ``ENGINES``.

        Args:
            path: the file.
            graph: what its sidecar says about it.

        Raises:
            FocusDetrError: the options are not for this file.
        """
        if graph.engine != "onnx":
            if given := self._given(engine=True):
                raise FocusDetrError(
                    f"{given} is for {ONNX} files: {path} runs with "
                    f"{_ONLY_ENGINES[graph.engine]} as it is; leave it out, or export again to a "
                    f"file that ends in {ONNX}"
                )
            return graph.engine
        return self.engine or self._usual()

    def _usual(self) -> str:
        """What asks for OpenVINO gets it, be it that it says it is missing."""
        asked = self._given(engine=False)
        return OPENVINO if asked or OPENVINO in installed_engines() else ONNX_RUNTIME

    def _given(self, *, engine: bool) -> str:
        """The first option that was given, in the user's words; '' if none was."""
        options = (
            ("--engine", self.engine if engine else None),
            ("--precision", self.precision),
            ("--graphs", self.graphs),
        )
        return next((f"{name} {value}" for name, value in options if value is not None), "")


USUAL = EngineOptions()


def installed_engines() -> tuple[str, ...]:
    """Those of ``ENGINES`` that are installed."""
    missing = missing_modules(ENGINES)
    return tuple(name for name in ENGINES if name not in missing)


def engine_missing(path: Path | str, engine: str) -> FocusDetrError:
    """What to say where an engine is not installed.

    Args:
        path: what needs it.
        engine: of ``ENGINES``.
    """
    name, extra = _NAMES_AND_EXTRAS[engine]
    return FocusDetrError(f"{path} needs {name}: `{install_command(extra)}`")
