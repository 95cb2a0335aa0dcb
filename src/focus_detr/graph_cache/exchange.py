"""Hands graphs to MindSpore's compile cache and takes new ones from it.

MindSpore 2.10 numbers the compilations of a process and looks for a graph under the number alone,
in one folder that cannot be changed. Here that folder is private to the process and holds, while a
graph is compiled, nothing but that graph under the number that is due. A wrong number, an unknown
folder or an unreadable file therefore end in an ordinary compilation.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
from mindspore._c_expression import ms_ctx_param
from mindspore.communication import get_rank
from mindspore.context import _context

from focus_detr.distributed.world import ROLE_VARIABLE


class _Exchange:
    """The folder of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._due = 0  # number of the next compilation
        ms.set_context(compile_cache_path=str(folder))

    def compile(self, compilation: Callable[[], None], graph: bytes | None) -> bytes | None:
        """Compile with a graph from before, or take the new graph."""
        place = self._place()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if graph is not None:
                place.write_bytes(graph)
            self._due += 1
            _enable(True)
            try:
                compilation()
            finally:
                _enable(False)
            return place.read_bytes() if graph is None and place.exists() else None
        finally:
            self._empty()

    def _place(self) -> Path:
        """Where MindSpore looks for the graph that is due."""
        role = os.environ.get(ROLE_VARIABLE, "")
        rank = get_rank() if role else 0
        return self._folder / f"rank_{rank}/graph_cache/{role}compile_cache_{self._due}.mindir"

    def _empty(self) -> None:
        for path in self._folder.iterdir():
            shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _exchange() -> _Exchange:
    folder = Path(tempfile.mkdtemp(prefix="focus_detr_graphs_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _Exchange(folder)


def compile_with(compilation: Callable[[], None], graph: bytes | None) -> bytes | None:
    """Compile a cell, by a graph that an earlier process compiled if there is one.

    Args:
        compilation: compiles exactly one graph.
        graph: what this function returned for the same compilation in another process, or None.

    Returns:
        The graph if it is new, for a later process; None if ``graph`` was given or MindSpore did
        not put it where it was expected.
    """
    return _exchange().compile(compilation, graph)


def _enable(enabled: bool) -> None:
    # not by set_context: it would also make MindSpore search the program's imports for changes,
    # which takes seconds and fails where the program is no file
    _context().set_param(ms_ctx_param.enable_compile_cache, int(enabled))
