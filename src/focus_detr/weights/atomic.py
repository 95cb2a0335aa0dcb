"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from focus_detr.errors import FocusDetrError

# the library writes by itself and reports the system's error only as text
_FULL_DISK_TEXT = f"(os error {errno.ENOSPC})"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError | SafetensorError) -> str:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or _FULL_DISK_TEXT in str(error):
        return "no space left on the disk"
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a part file to write, which replaces ``path`` when the block ends without an error.

    The part file and then its folder are flushed to the disk, so a kill or a power cut leaves the
    old file or the new one.

    Raises:
        FocusDetrError: the file cannot be written, for instance on a full disk; the old one stays.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _sync(part)
        os.replace(part, path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:
        raise FocusDetrError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
