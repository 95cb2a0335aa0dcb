"""Running an exported ONNX file with ONNX Runtime on a CPU; needs no MindSpore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.deploy.engine_options import ONNX_RUNTIME, engine_missing
from focus_detr.deploy.onnx_file import refuse_other_device, refuse_other_tensors
from focus_detr.deploy.sidecar import INPUTS, Graph, Inputs
from focus_detr.errors import FocusDetrError
from focus_detr.process.runtime import thread_limit
from focus_detr.wording import first_line

_TYPES = {"tensor(uint8)": "uint8", "tensor(int32)": "int32", "tensor(float)": "float32"}


class OnnxEngine:
    """A session of ONNX Runtime."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: ONNX Runtime is not installed or refuses the file, the file takes or
                gives other tensors than its sidecar says, or the device is no CPU.
        """
        refuse_other_device(path, device)
        self._path, self._outputs = path, list(graph.outputs)
        try:
            import onnxruntime
        except ImportError as error:
            raise engine_missing(path, ONNX_RUNTIME) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_limit() or 0  # 0: all cores
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no class in common
            raise FocusDetrError(f"ONNX Runtime cannot load {path}: {first_line(error)}") from error
        given = [item.name for item in self._session.get_outputs()]
        refuse_other_tensors(path, graph, _inputs(self._session), given)

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs.

        Raises:
            FocusDetrError: ONNX Runtime cannot compute them.
        """
        named = dict(zip(INPUTS, inputs, strict=False))
        try:
            return tuple(self._session.run(self._outputs, named))
        except Exception as error:
            reason = first_line(error)
            raise FocusDetrError(f"ONNX Runtime cannot run {self._path}: {reason}") from error


def _inputs(session: Any) -> Inputs:
    """What a session takes; an open dimension is a text there."""
    return {
        item.name: (
            tuple(size if isinstance(size, int) else None for size in item.shape),
            _TYPES.get(item.type, item.type),
        )
        for item in session.get_inputs()
    }
