"""Writing a graph as MINDIR, and from there as ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
from mindspore import Tensor, nn, ops

from focus_detr.deploy.engine_options import ONNX_RUNTIME, installed_engines
from focus_detr.deploy.sidecar import MINDIR, ONNX, Graph
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.told_selections import tell_selections
from focus_detr.io.temporary_files import temporary_folder
from focus_detr.process.program import install_command
from focus_detr.process.requirements import missing_modules
from focus_detr.wording import first_line


def write_graph(cell: nn.Cell, graph: Graph, path: Path) -> None:
    """Compile a graph and write it.

    Args:
        cell: an ``export.cells.ExportedDetector`` in evaluation mode.
        graph: says the shapes.
        path: ends in .mindir or .onnx; a file .mindir is made beside the latter.

    Raises:
        FocusDetrError: MindSpore cannot compile or write the graph, or ONNX cannot hold it.
    """
    _write_mindir(cell, graph, path.with_suffix(MINDIR))
    _translate(graph, path)


def write_telling(source: Path, graph: Graph, path: Path) -> int:
    """Write a file of the same operations that tells its selections too.

    Args:
        source: the MINDIR that ``write_graph`` wrote.
        graph: says the shapes.
        path: ends in .mindir or .onnx; a file .mindir is made beside the latter.

    Returns:
        The number of selections.
    """
    selections = tell_selections(source, path.with_suffix(MINDIR))
    _translate(graph, path, selections)
    return selections


def require_packages(path: Path) -> None:
    """Look whether what writes and checks a file is installed.

    Raises:
        FocusDetrError: naming what is not.
    """
    missing = missing_modules(["onnx"]) + ([] if installed_engines() else [ONNX_RUNTIME])
    if path.suffix == ONNX and missing:
        needed = " and ".join(missing)
        raise FocusDetrError(f"{path} needs {needed}: `{install_command('onnx')}`")


def _translate(graph: Graph, path: Path, selections: int = 0) -> None:
    """Write the ONNX file, if that is asked for, from the file .mindir beside it."""
    if path.suffix == ONNX:
        from focus_detr.exporting.onnx_writing import write_onnx  # needs the package onnx

        open_batch = graph.batch is None
        write_onnx(path.with_suffix(MINDIR), path, open_batch=open_batch, selections=selections)


def _write_mindir(cell: nn.Cell, graph: Graph, path: Path) -> None:
    try:
        with _plainly_named(path) as name:
            ms.export(cell, *_inputs(graph), file_name=name, file_format="MINDIR")
    except (RuntimeError, ValueError, TypeError) as error:
        reason = first_line(error)
        raise FocusDetrError(f"MindSpore cannot write this network as MINDIR: {reason}") from error
    if not path.is_file():
        raise FocusDetrError(
            f"{path.name}: MindSpore keeps weights of more than 1 GB in files of their own, which "
            "are not supported; the network is larger"
        )


@contextmanager
def _plainly_named(path: Path) -> Iterator[str]:
    """Another name of a file to be written: MindSpore refuses blanks, brackets, accents and more.

    A link leads to its folder, so that no bytes are moved between disks.
    """
    with temporary_folder("export") as folder:
        link = Path(folder) / "folder"
        link.symlink_to(path.parent.absolute(), target_is_directory=True)
        plain = link / f"plain{MINDIR}"
        yield str(plain)
        if plain.is_file():
            plain.rename(link / path.name)


def _inputs(graph: Graph) -> tuple[Tensor, ...]:
    """Inputs of the graph's shapes; a batch that is to be opened has one picture here."""
    batch, height, width = graph.batch or 1, graph.height, graph.width
    sizes = ops.ones((batch, 2), ms.int32)
    if graph.images == "pixels":
        images = ops.zeros((batch, height, width, 3), ms.uint8)
    else:
        images = ops.zeros((batch, 3, height, width), ms.float32)
    return (images, sizes, sizes) if graph.boxes == "pixels" else (images, sizes)
