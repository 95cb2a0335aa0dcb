"""A folder of compiled graphs."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_whole

_DIGEST = hashlib.sha256
_DIGEST_SIZE = _DIGEST().digest_size
_SUFFIX = ".graph"
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_OURS = re.compile(rf"\w+-\w+-\d+\{_SUFFIX}(\.\d+\.part)?")
_PART_AGE = 3600.0  # seconds; a file is written in much less

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
            keep: identities that stay, this one included; those longest unused are deleted. Folders
                that do not look like one stay too.
        """
        self.folder = folder / identity
        self._worker = worker
        self._writable = True
        with suppress(OSError):
            _delete_oldest(folder, identity, keep - 1)
        with suppress(OSError):
            _delete_parts(folder)

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
    others = [path for path in folder.iterdir() if path.name != identity and _is_ours(path)]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    """Whether nothing but a run's graphs can be in there; the folder may be one of many things."""
    if not _IDENTITY.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    files = list(path.iterdir())
    return bool(files) and all(_OURS.fullmatch(file.name) and file.is_file() for file in files)


def _delete_parts(folder: Path) -> None:
    """Remove what killed runs had not finished writing."""
    for path in folder.glob(f"*/*{_SUFFIX}.*.part"):
        old = time.time() - path.stat().st_mtime > _PART_AGE
        if old and _IDENTITY.fullmatch(path.parent.name) and _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)
