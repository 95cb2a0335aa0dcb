"""Hands graphs to MindSpore's compile cache and takes new ones from it.

MindSpore 2.10 numbers the compilations of a process and looks for a graph under the number alone,
in one folder that cannot be changed. Here that folder is private to the process and holds, while a
graph is compiled, nothing but that graph under the number that is due. A wrong number, an unknown
folder or an unreadable file therefore end in an ordinary compilation.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
from mindspore._c_expression import ms_ctx_param
from mindspore.communication import get_rank
from mindspore.context import _context

from focus_detr.distributed.world import ROLE_VARIABLE
from focus_detr.io.private_folder import private_folder

_PROBE = bytes(4096)  # a block: what a full disk has no room for

_log = logging.getLogger(__name__)


class _Exchange:
    """The folder of this process; after the first trouble with it, compilations go without."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._due = 0  # number of the next compilation
        self._usable = True

    def compile(self, compilation: Callable[[], None], graph: bytes | None) -> bytes | None:
        """Compile with a graph from before, or take the new graph."""
        place = self._offer(graph)
        try:
            if place is None:
                compilation()
                return None
            self._due += 1
            _enable(True)
            try:
                compilation()
            finally:
                _enable(False)
            return self._take(place, graph)
        finally:
            self._empty()

    def _offer(self, graph: bytes | None) -> Path | None:
        """Put the graph where MindSpore looks for it and tell the place; None if that fails."""
        if not self._usable:
            return None
        try:
            place = self._place()
            place.parent.mkdir(parents=True, exist_ok=True)
            if graph is not None:
                place.write_bytes(graph)
        except OSError as error:
            self._stop(error)
            return None
        return place

    def _take(self, place: Path, graph: bytes | None) -> bytes | None:
        """What MindSpore left in the place, if that is not the graph that it was given."""
        try:
            found = place.read_bytes() if place.exists() else graph
            if found == graph:
                return None
            # MindSpore is content with half a file on a full disk
            place.with_name("probe").write_bytes(_PROBE)
        except OSError as error:
            self._stop(error)
            return None
        return found

    def _place(self) -> Path:
        """Where MindSpore looks for the graph that is due."""
        if self._folder is None:
            self._folder = private_folder("graphs")
            ms.set_context(compile_cache_path=str(self._folder))
        role = os.environ.get(ROLE_VARIABLE, "")
        rank = get_rank() if role else 0
        return self._folder / f"rank_{rank}/graph_cache/{role}compile_cache_{self._due}.mindir"

    def _stop(self, error: OSError) -> None:
        self._usable = False
        _log.warning("compiled graphs are neither kept nor used in this run: %s", error)

    def _empty(self) -> None:
        if self._folder is not None:
            for path in self._folder.glob("*"):  # not the folder itself, which holds the lock
                shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _exchange() -> _Exchange:
    return _Exchange()


def compile_with(compilation: Callable[[], None], graph: bytes | None) -> bytes | None:
    """Compile a cell, by a graph that an earlier process compiled if there is one.

    Args:
        compilation: compiles exactly one graph.
        graph: what this function returned for the same compilation in another process, or None.

    Returns:
        The graph if it is new, for a later process: none was given, or MindSpore rejected that one
        and compiled. None if ``graph`` was used, or MindSpore did not put the new one where it was
        expected, or the disk failed, which the first time is logged as a warning.
    """
    return _exchange().compile(compilation, graph)


def _enable(enabled: bool) -> None:
    # not by set_context: it would also make MindSpore search the program's imports for changes,
    # which takes seconds and fails where the program is no file
    _context().set_param(ms_ctx_param.enable_compile_cache, int(enabled))
