"""Running an exported ONNX file with ONNX Runtime on a CPU; needs no MindSpore."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focus_detr.deploy.sidecar import INPUTS, Graph
from focus_detr.errors import FocusDetrError

_DEVICE = "CPU"


class OnnxEngine:
    """A session of ONNX Runtime."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: ONNX Runtime is not installed or refuses the file, or the device is no
                CPU.
        """
        if device is not None and device.upper() != _DEVICE:
            raise FocusDetrError(f"{path} is an ONNX file, which runs on {_DEVICE}, not {device}")
        self._outputs = list(graph.outputs)
        try:
            import onnxruntime
        except ImportError as error:
            raise FocusDetrError(
                f"{path} needs ONNX Runtime: `pip install 'focus-detr[onnx]'`"
            ) from error
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no class in common
            reason = str(error).strip().partition("\n")[0]
            raise FocusDetrError(f"ONNX Runtime cannot load {path}: {reason}") from error

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        named = dict(zip(INPUTS, inputs, strict=False))
        return tuple(self._session.run(self._outputs, named))
