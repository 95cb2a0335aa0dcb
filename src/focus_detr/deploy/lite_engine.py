"""Running a converted file with MindSpore Lite on Ascend.

Follows the interface of MindSpore Lite 2.10; no device was at hand to run it on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_DEVICE = "Ascend"


class LiteEngine:
    """A model that MindSpore Lite has built for the first device that the process sees."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: MindSpore Lite is not installed or refuses the file, or the device is
                no Ascend.
        """
        if device is not None and device.lower() != _DEVICE.lower():
            raise FocusDetrError(f"{path} was converted for {_DEVICE}, it does not run on {device}")
        try:
            import mindspore_lite
        except ImportError as error:
            raise FocusDetrError(
                f"{path} needs MindSpore Lite for Ascend, which mindspore.cn/lite offers; "
                "take the version that converted it"
            ) from error
        context = mindspore_lite.Context()
        context.target = [_DEVICE.lower()]
        context.ascend.device_id = 0
        self._path, self._outputs = path, len(graph.outputs)
        self._model = mindspore_lite.Model()
        try:
            self._model.build_from_file(str(path), mindspore_lite.ModelType.MINDIR, context)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise FocusDetrError(f"MindSpore Lite cannot load {path}: {reason}") from error

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs.

        Raises:
            FocusDetrError: the file takes or gives other tensors than its sidecar says.
        """
        tensors = self._model.get_inputs()
        taken = [tuple(tensor.shape) for tensor in tensors]
        shapes = [array.shape for array in inputs]
        if taken != shapes:
            raise FocusDetrError(f"{self._path} takes {taken}, its sidecar says {shapes}")
        for tensor, array in zip(tensors, inputs, strict=True):
            tensor.set_data_from_numpy(np.ascontiguousarray(array))
        outputs = self._model.predict(tensors)
        if len(outputs) != self._outputs:
            raise FocusDetrError(
                f"{self._path} gives {counted(len(outputs), 'tensor')}, its sidecar says "
                f"{self._outputs}"
            )
        return tuple(tensor.get_data_to_numpy() for tensor in outputs)
