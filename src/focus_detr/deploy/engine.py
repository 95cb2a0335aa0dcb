"""What runs an exported model, and which one a file needs."""

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
    """Load a model file with the engine for its format.

    Args:
        path: the file; ``read_sidecar`` has checked it.
        graph: what its sidecar says about it.
        device: CPU, GPU or Ascend; None: the best that is here. ONNX files run on the CPU.

    Raises:
        FocusDetrError: the engine is not installed or cannot load the file.
    """
    if graph.format == "ONNX":
        from focus_detr.deploy.onnx_engine import OnnxEngine

        return OnnxEngine(path)
    from focus_detr.deploy.mindspore_engine import MindSporeEngine

    return MindSporeEngine(path, graph, device)
