"""Files that appear whole or not at all, and JSON in and out of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from focus_detr.errors import FocusDetrError

# the library writes by itself and reports the system's error only as text
_FULL_DISK_TEXT = f"(os error {errno.ENOSPC})"
_BLOCK = 1 << 20  # bytes


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
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong with writing ``path`` inside into an error that names it.

    Raises:
        FocusDetrError: the file cannot be written, for instance on a full disk.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise FocusDetrError(f"cannot write {path}: {_reason(error)}") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a part file to write, which replaces ``path`` when the block ends without an error.

    The part file and then its folder are flushed to the disk, so a kill or a power cut leaves the
    old file or the new one. Its permissions are those of any new file (0666 less the umask), even
    where a library puts a private file of its own in the part file's place. A link stays, and the
    file that it leads to is replaced.

    Raises:
        FocusDetrError: the file cannot be written, for instance on a full disk, or is a device or
            pipe; the old one stays.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with writing(path):
            if target.exists() and not (target.is_file() or target.is_dir()):
                raise FocusDetrError(f"cannot write {path}: it is not a regular file")
            target.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
            mode = stat.S_IMODE(part.stat().st_mode)
            yield part
            part.chmod(mode)
            _sync(part)
            os.replace(part, target)
            _sync(target.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes ``path`` when the block ends without an error.

    Its files and then the folder around it are flushed to the disk first.

    Raises:
        FocusDetrError: ``path`` exists already or cannot be written.
    """
    if path.exists():
        raise FocusDetrError(f"{path} exists already; remove it or choose another folder")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            part.mkdir(parents=True)
            yield part
            for file in part.iterdir():
                _sync(file)
            os.rename(part, path)
            _sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_folder(path: Path) -> None:
    """Look whether files can be written to a folder, before there are any; it may be still to come.

    Raises:
        FocusDetrError: something else stands in its place or above it, or it is not ours to write.
    """
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise FocusDetrError(f"cannot write to {path}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise FocusDetrError(f"cannot write to {path}: {there} may not be written")


def write_whole(path: str | Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step, creating the folder.

    Raises:
        FocusDetrError: the file cannot be written; the old one stays.
    """
    with whole_file(Path(path)) as part:
        part.write_bytes(content)


def write_json(path: str | Path, value: Any, indent: int | None = None) -> None:
    """Write ``value`` as JSON, creating the folder; NaN is refused because JSON has none.

    Raises:
        FocusDetrError: the file cannot be written; the old one stays.
    """
    write_whole(path, json.dumps(value, indent=indent, allow_nan=False).encode() + b"\n")


def read_json(path: str | Path) -> Any:
    """Parse a JSON file.

    Raises:
        FocusDetrError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_bytes())  # in any of the encodings that JSON has
    except OSError as error:
        raise FocusDetrError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FocusDetrError(f"{path} is not valid JSON: {error}") from error


def sha256_of(path: str | Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
