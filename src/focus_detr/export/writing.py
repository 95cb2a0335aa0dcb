"""Writing a graph as MINDIR."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError


def write_graph(cell: nn.Cell, graph: Graph, path: Path) -> None:
    """Compile a graph and write it.

    Args:
        cell: an ``export.cells.ExportedDetector`` in evaluation mode.
        graph: says the shapes.
        path: ends in .mindir.

    Raises:
        FocusDetrError: MindSpore cannot compile or write the graph.
    """
    try:
        ms.export(cell, *_inputs(graph), file_name=str(path), file_format="MINDIR")
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FocusDetrError(f"MindSpore cannot write this network as MINDIR: {reason}") from error


def _inputs(graph: Graph) -> tuple[Tensor, ...]:
    """Inputs of the graph's shapes."""
    batch, height, width = graph.batch, graph.height, graph.width
    sizes = ops.ones((batch, 2), ms.int32)
    if graph.images == "pixels":
        images = ops.zeros((batch, height, width, 3), ms.uint8)
    else:
        images = ops.zeros((batch, 3, height, width), ms.float32)
    return (images, sizes, sizes) if graph.boxes == "pixels" else (images, sizes)
