"""Pictures that lie one after another in a large file."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from pathlib import Path

from focus_detr.errors import FocusDetrError


class Shard:
    """A large file, kept open: on a network disk opening one costs as much as reading a picture."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            FocusDetrError: it is missing or cannot be opened.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise FocusDetrError(f"cannot read {path}: {error.strerror}") from error
        weakref.finalize(self, os.close, self._descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from ``offset`` on, fewer at the end of the file; may be called by threads.

        Raises:
            FocusDetrError: the disk fails.
        """
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise FocusDetrError(f"cannot read {self.path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Where a picture's file content lies."""

    shard: Shard
    offset: int
    length: int

    def read(self) -> bytes:
        """The content.

        Raises:
            FocusDetrError: the disk fails, or the shard became shorter.
        """
        content = self.shard.read(self.offset, self.length)
        if len(content) < self.length:
            raise FocusDetrError(f"{self.shard.path} is cut off")
        return content
