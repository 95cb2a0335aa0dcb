"""What runs an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from focus_detr.deploy.sidecar import Graph


class Engine(Protocol):
    """A loaded model file."""

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs that ``sidecar.Graph`` describes from its inputs."""


def open_engine(path: Path, graph: Graph, device: str | None = None) -> Engine:
    """Load a model file.

    Args:
        path: the file; ``read_sidecar`` has checked it.
        graph: what its sidecar says about it.
        device: CPU, GPU or Ascend; None: the best that is here.

    Raises:
        FocusDetrError: the engine is not installed or cannot load the file.
    """
    # here, so that each engine's package is needed for its files only
    if graph.engine == "lite":
        from focus_detr.deploy.lite_engine import LiteEngine

        return LiteEngine(path, graph, device)
    if graph.engine == "onnx":
        from focus_detr.deploy.onnx_engine import OnnxEngine

        return OnnxEngine(path, graph, device)
    from focus_detr.deploy.mindspore_engine import MindSporeEngine

    return MindSporeEngine(path, graph, device)
