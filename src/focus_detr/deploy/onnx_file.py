"""What every engine asks of an ONNX file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from focus_detr.deploy.sidecar import Graph, Inputs, refuse_other_inputs
from focus_detr.errors import FocusDetrError

_DEVICE = "CPU"


def refuse_other_device(path: Path, device: str | None) -> None:
    """Take a CPU only.

    Raises:
        FocusDetrError: it is another device.
    """
    if device is not None and device.upper() != _DEVICE:
        raise FocusDetrError(f"{path} is an ONNX file, which runs on {_DEVICE}, not {device}")


def refuse_other_tensors(path: Path, graph: Graph, taken: Inputs, given: Iterable[str]) -> None:
    """Compare a file with its sidecar.

    Args:
        path: the file.
        graph: what the sidecar says.
        taken: the file's inputs.
        given: names of its outputs.

    Raises:
        FocusDetrError: they differ.
    """
    refuse_other_inputs(path, graph, taken)
    names = set(given)
    if missing := [name for name in graph.outputs if name not in names]:
        raise FocusDetrError(f"{path} does not give {', '.join(missing)}, as its sidecar says")
