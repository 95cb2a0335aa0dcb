"""Writing a graph as MINDIR or ONNX."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn

from focus_detr.deploy.mindspore_engine import input_tensors
from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError


def write_graph(cell: nn.Cell, graph: Graph, path: Path) -> None:
    """Compile a graph and write it.

    Args:
        cell: an ``export.cells.ExportedDetector`` in evaluation mode.
        graph: says shapes and format.
        path: with the format's suffix.

    Raises:
        FocusDetrError: the format cannot hold the graph.
    """
    try:
        if graph.format == "ONNX":
            _write_onnx(cell, graph, path)
        else:
            ms.export(cell, *_inputs(graph), file_name=str(path), file_format="MINDIR")
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FocusDetrError(
            f"MindSpore cannot write this network as {graph.format}: {reason}"
        ) from error


def _write_onnx(cell: nn.Cell, graph: Graph, path: Path) -> None:
    import mindspore.onnx  # not loaded with mindspore

    mindspore.onnx.export(cell, *_inputs(graph), file_name=str(path))


def _inputs(graph: Graph) -> tuple[Tensor, ...]:
    """Placeholders, with values where the shapes are fixed: the exporter reads them."""
    placeholders = input_tensors(graph)
    if graph.batch is None:
        return placeholders
    return tuple(ms.ops.zeros(tensor.shape, tensor.dtype) for tensor in placeholders)
