"""Running an exported MINDIR file with MindSpore itself, on whatever device that has."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from focus_detr.deploy.native_library import relocated
from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError
from focus_detr.runtime import prepare_runtime


class MindSporeEngine:
    """A graph that was read from a file; MindSpore compiles it at the first run."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: no such device, the native library that the file needs is not there, or
                MindSpore refuses the file.
        """
        used = prepare_runtime(device)
        if graph.msda == "ascend" and used != "Ascend":
            raise FocusDetrError(f"{path} was exported for Ascend, and the device here is {used}")
        if graph.msda == "custom":
            with tempfile.TemporaryDirectory() as folder:
                self._cell = _load(relocated(path, used, Path(folder)))
        else:
            self._cell = _load(path)

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        outputs = self._cell(*(Tensor(np.ascontiguousarray(array)) for array in inputs))
        return tuple(output.asnumpy() for output in outputs)


def _load(path: Path) -> nn.GraphCell:
    try:
        return nn.GraphCell(ms.load(str(path)))
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FocusDetrError(f"MindSpore cannot load {path}: {reason}") from error
