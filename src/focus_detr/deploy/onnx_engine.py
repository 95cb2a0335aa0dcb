"""Running an exported ONNX file with ONNX Runtime on a CPU; needs no MindSpore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.deploy.sidecar import INPUTS, Graph, refuse_other_inputs
from focus_detr.errors import FocusDetrError
from focus_detr.program import install_command

_DEVICE = "CPU"
_TYPES = {"tensor(uint8)": "uint8", "tensor(int32)": "int32", "tensor(float)": "float32"}


class OnnxEngine:
    """A session of ONNX Runtime."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: ONNX Runtime is not installed or refuses the file, the file takes or
                gives other tensors than its sidecar says, or the device is no CPU.
        """
        if device is not None and device.upper() != _DEVICE:
            raise FocusDetrError(f"{path} is an ONNX file, which runs on {_DEVICE}, not {device}")
        self._outputs = list(graph.outputs)
        try:
            import onnxruntime
        except ImportError as error:
            raise FocusDetrError(
                f"{path} needs ONNX Runtime: `{install_command('onnx')}`"
            ) from error
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no class in common
            reason = str(error).strip().partition("\n")[0]
            raise FocusDetrError(f"ONNX Runtime cannot load {path}: {reason}") from error
        _refuse_other_tensors(path, graph, self._session)

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        named = dict(zip(INPUTS, inputs, strict=False))
        return tuple(self._session.run(self._outputs, named))


def _refuse_other_tensors(path: Path, graph: Graph, session: Any) -> None:
    """Compare a session of ONNX Runtime with the sidecar; an open dimension is a text there."""
    taken = {
        item.name: (
            tuple(size if isinstance(size, int) else None for size in item.shape),
            _TYPES.get(item.type, item.type),
        )
        for item in session.get_inputs()
    }
    refuse_other_inputs(path, graph, taken)
    given = {item.name for item in session.get_outputs()}
    if missing := [name for name in graph.outputs if name not in given]:
        raise FocusDetrError(f"{path} does not give {', '.join(missing)}, as its sidecar says")
