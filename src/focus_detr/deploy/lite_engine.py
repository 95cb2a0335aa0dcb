"""Running a converted file with MindSpore Lite on Ascend.

Follows the interface of MindSpore Lite 2.10. The calls have run on the CPU library of Lite 2.0; no
Ascend device was at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from focus_detr.deploy.lite_log import FAILURES, failures_explained
from focus_detr.deploy.sidecar import (
    Graph,
    Inputs,
    inputs_in_words,
    refuse_other_inputs,
)
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted, first_line

_DEVICE = "Ascend"


class LiteEngine:
    """A model that MindSpore Lite has built for the first device that the process sees."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: MindSpore Lite is not installed or refuses the file, the file takes
                other tensors than its sidecar says, or the device is no Ascend.
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
        self._path, self._graph = path, graph
        self._model = mindspore_lite.Model()
        with failures_explained(f"MindSpore Lite cannot load {path}"):
            self._model.build_from_file(str(path), mindspore_lite.ModelType.MINDIR, context)
        refuse_other_inputs(path, graph, _taken(self._model.get_inputs()))

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs.

        Raises:
            FocusDetrError: the inputs are not those that the sidecar describes, the file gives
                another number of tensors than it says, or MindSpore Lite fails.
        """
        arrays = self._named(inputs)
        try:
            tensors = self._model.get_inputs()
            for tensor in tensors:
                tensor.set_data_from_numpy(arrays[_name(tensor)])  # shared, so kept until the end
            outputs = self._model.predict(tensors)
        except FAILURES as error:
            raise FocusDetrError(
                f"MindSpore Lite does not run {self._path}: {first_line(error)}"
            ) from error
        expected = len(self._graph.outputs)
        if len(outputs) != expected:
            raise FocusDetrError(
                f"{self._path} gives {counted(len(outputs), 'tensor')}, its sidecar says {expected}"
            )
        # views of buffers that the next run overwrites
        return tuple(np.array(tensor.get_data_to_numpy()) for tensor in outputs)

    def _named(self, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs by name; MindSpore Lite itself would take any of as many bytes."""
        names = self._graph.inputs
        arrays = {
            name: np.ascontiguousarray(array) for name, array in zip(names, inputs, strict=True)
        }
        given = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
        if given != names:
            raise FocusDetrError(
                f"{self._path} takes {inputs_in_words(names)}, it was given "
                f"{inputs_in_words(given)}"
            )
        return arrays


def _taken(tensors: Sequence[Any]) -> Inputs:
    """Shapes and types by name."""
    return {
        _name(tensor): (tuple(tensor.shape), getattr(tensor.dtype, "name", "unknown").lower())
        for tensor in tensors
    }


def _name(tensor: Any) -> str:
    """Without the cell that MindSpore writes before it, as in ``12_construct:images``."""
    return tensor.name.rpartition(":")[2]
