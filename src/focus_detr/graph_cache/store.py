"""A folder of compiled graphs."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.files import write_whole

_DIGEST = hashlib.sha256
_DIGEST_SIZE = _DIGEST().digest_size
_SUFFIX = ".graph"

_log = logging.getLogger(__name__)


class GraphStore:
    """The graphs of one run's settings, each a file of its own with its hash in front.

    Whatever goes wrong with the files, the run goes on without them.
    """

    def __init__(self, folder: Path, identity: str, *, worker: int = 0, keep: int = 8) -> None:
        """Open the store.

        Args:
            folder: shared by all runs; created when there is something to write.
            identity: from ``run_identity``.
            worker: each worker of a run has graphs of its own.
            keep: identities that stay, this one included; those longest unused are deleted.
        """
        self.folder = folder / identity
        self._worker = worker
        self._writable = True
        with suppress(OSError):
            _delete_oldest(folder, identity, keep - 1)

    def load(self, name: str) -> bytes | None:
        """A graph, or None if it is not there or damaged."""
        path = self._path(name)
        try:
            content = path.read_bytes()
            os.utime(self.folder)
        except OSError:
            return None
        digest, graph = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if _DIGEST(graph).digest() != digest:
            _log.warning("%s is damaged: the graph is compiled again", path)
            return None
        return graph

    def save(self, name: str, graph: bytes) -> None:
        """Keep a graph; where that is not possible, one warning per store says so."""
        if not self._writable:
            return
        try:
            write_whole(self._path(name), _DIGEST(graph).digest() + graph)
        except FocusDetrError as error:
            self._writable = False
            _log.warning("compiled graphs are not kept: %s", error)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}-{self._worker}{_SUFFIX}"


def _delete_oldest(folder: Path, identity: str, keep: int) -> None:
    others = [path for path in folder.iterdir() if path.is_dir() and path.name != identity]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[keep:]:
        if all(file.suffix in (_SUFFIX, ".part") for file in path.iterdir()):  # only what is ours
            shutil.rmtree(path, ignore_errors=True)
