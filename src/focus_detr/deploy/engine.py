"""What runs an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from focus_detr.deploy.engine_options import ONNX_RUNTIME, OPENVINO, USUAL, EngineOptions
from focus_detr.deploy.sidecar import Graph
from focus_detr.process.runtime import load_mindspore


class Engine(Protocol):
    """A loaded model file."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs that ``sidecar.Graph`` describes from its inputs."""


def open_engine(
    path: Path, graph: Graph, device: str | None = None, options: EngineOptions = USUAL
) -> Engine:
    """Load a model file.

    Args:
        path: the file; ``read_sidecar`` has checked it.
        graph: what its sidecar says about it.
        device: CPU, GPU or Ascend; None: the best that is here.
        options: what else the user asks for.

    Raises:
        FocusDetrError: the engine is not installed or cannot load the file, or the options are
            not for it.
    """
    engine = options.engine_of(path, graph)
    # here, so that each engine's package is needed for its files only
    if engine == "lite":
        from focus_detr.deploy.lite_engine import LiteEngine

        return LiteEngine(path, graph, device)
    if engine == OPENVINO:
        from focus_detr.deploy.openvino_engine import OpenVinoEngine

        precision = options.precision or "f32"
        return OpenVinoEngine(
            path,
            graph,
            device,
            precision=precision,
            graphs=options.graphs,
            as_written=options.as_written,
        )
    if engine == ONNX_RUNTIME:
        from focus_detr.deploy.onnx_engine import OnnxEngine

        return OnnxEngine(path, graph, device)
    load_mindspore()
    from focus_detr.deploy.mindspore_engine import MindSporeEngine

    return MindSporeEngine(path, graph, device)
