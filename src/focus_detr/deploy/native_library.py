"""A MINDIR file that calls the native library names its path; on another machine it lies elsewhere.

The library is then looked for where ``ops.native_library`` looks, and a copy of the file that names
the place found is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from focus_detr.deploy.mindir_file import nodes
from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda_library import BUILD_COMMANDS, check_library, find_library
from focus_detr.ops.native_library import LibraryError

LIBRARY_DEVICE = "CPU"  # whose native library a file with --msda custom calls

_FUNCTION = "func_name"  # attribute of a node: library, colon, function


def relocated(path: Path, model: Any, device: str, folder: Path) -> Path:
    """A file that names a library which can be used: ``path`` itself or a copy.

    Args:
        path: a MINDIR file.
        model: what ``read_mindir`` read from it.
        device: as MindSpore spells it.
        folder: where to put the copy.

    Raises:
        FocusDetrError: there is no usable library either where the file says or where it is looked
            for.
    """
    named = {_library(attribute) for attribute in _functions(model)}
    unusable = {library for library in named if not _is_usable(library)}
    moved = [attribute for attribute in _functions(model) if _library(attribute) in unusable]
    if not moved:
        return path
    try:
        library = find_library(device)
    except LibraryError as error:
        raise FocusDetrError(
            f"{path} calls the native operator in {_library(moved[0])}, which is not there or not "
            f"usable, and {error}; build it with `{BUILD_COMMANDS[device]}` in the repository, or "
            "export with --msda composition"
        ) from error
    for attribute in moved:
        function = attribute.s.rpartition(b":")[2]
        attribute.s = str(library).encode() + b":" + function
    copy = folder / path.name
    copy.write_bytes(model.SerializeToString())
    return copy


def _functions(model: Any) -> Iterator[Any]:
    for node in nodes(model):
        for attribute in node.attribute:
            if attribute.name == _FUNCTION and b".so:" in attribute.s:
                yield attribute


def _is_usable(library: Path) -> bool:
    try:
        check_library(library)
    except LibraryError:
        return False
    return True


def _library(attribute: Any) -> Path:
    return Path(attribute.s.rpartition(b":")[0].decode())
