"""Running an exported MINDIR file with MindSpore itself, on whatever device that has."""

from __future__ import annotations

import logging
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from focus_detr.deploy.mindir_file import inputs_of, read_mindir
from focus_detr.deploy.native_library import LIBRARY_DEVICE, relocated
from focus_detr.deploy.sidecar import Graph, refuse_other_inputs
from focus_detr.errors import FocusDetrError
from focus_detr.io.temporary_files import temporary_folder
from focus_detr.io.user_paths import check_utf8
from focus_detr.ops.products_library import slows_convolutions
from focus_detr.process.runtime import prepare_runtime
from focus_detr.wording import first_line

_log = logging.getLogger(__name__)
_DEVICES = {"ascend": "Ascend", "custom": LIBRARY_DEVICE}  # that a choice of --msda runs on


class MindSporeEngine:
    """A graph that was read from a file; MindSpore compiles it at the first run."""

    def __init__(self, path: Path, graph: Graph, device: str | None = None) -> None:
        """Load a file.

        Raises:
            FocusDetrError: no such device, the native library that the file needs is not there,
                the file takes other tensors than its sidecar says, or MindSpore refuses it.
        """
        used = prepare_runtime(device)
        needed = _DEVICES.get(graph.msda, used)
        if used != needed:
            raise FocusDetrError(
                f"{path} was exported for {needed}, and the device here is {used}: choose another "
                "with --device, or export again with --msda composition"
            )
        # MindSpore would compile the graph for whatever shapes it gets
        model = read_mindir(path)
        refuse_other_inputs(path, graph, inputs_of(model))
        if graph.msda == "custom":
            with temporary_folder("msda") as folder:
                self._cell = _load(relocated(path, model, used, Path(folder)))
        else:
            self._cell = _load(path)
        if used == "CPU" and slows_convolutions():
            _log.warning(
                "%s may run slowly, as this process has built a network of its own: run it in "
                "another process, or set ONEDNN_MAX_CPU_ISA=AVX2",
                path,
            )

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs."""
        outputs = self._cell(*(Tensor(np.ascontiguousarray(array)) for array in inputs))
        return tuple(output.asnumpy() for output in outputs)


def _load(path: Path) -> nn.GraphCell:
    check_utf8(path)
    try:
        return nn.GraphCell(ms.load(str(path)))
    except (RuntimeError, ValueError, TypeError) as error:
        raise FocusDetrError(f"MindSpore cannot load {path}: {first_line(error)}") from error
