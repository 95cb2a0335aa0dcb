"""The files of a folder that people put there, without those that systems and programs add."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from glob import escape, glob, has_magic
from pathlib import Path, PurePath

# of macOS, Windows, Linux, and of storage by Synology and QNAP; in lower case
_SYSTEM_NAMES = frozenset(
    {
        "__macosx",
        "network trash folder",
        "temporary items",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "lost+found",
        "__pycache__",
        "@eadir",
        "@tmp",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@__thumb",
        "@recently-snapshot",
        "@sharebin",
        "~snapshot",
        "recycled",
        "found.000",
    }
)
_LOCK = "~$"  # in front of the name of a file that an office program has open


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is no part of a data set.

    That are names with a dot in front, such as ``._photo.jpg`` and ``.ipynb_checkpoints``, and the
    folders and files that systems and programs keep beside one's own.
    """
    dotted = name.startswith(".") and name not in (".", "..")
    return dotted or name.startswith(_LOCK) or name.lower() in _SYSTEM_NAMES


def files_below(folder: Path, suffixes: Collection[str]) -> list[str]:
    """Paths of all files below a folder with such an ending, that are not hidden.

    Links are followed and keep their own names; what leads back into itself is entered once. The
    folder itself may be hidden.

    Args:
        folder: where to look; one that cannot be read has no files.
        suffixes: in lower case; files have them in any case.

    Returns:
        Relative to the folder, with forward slashes, sorted.
    """
    return sorted(
        path.relative_to(folder).as_posix()
        for path in _walk(folder, ())
        if path.suffix.lower() in suffixes
    )


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """All files; ``above`` are the real paths of the folders on the way here."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for name, inner in list_folder(folder):
        if is_hidden(name):
            continue
        if inner:
            yield from _walk(folder / name, (*above, real))
        else:
            yield folder / name


def list_folder(folder: Path | str) -> list[tuple[str, bool]]:
    """Everything in a folder by name, and whether it is a folder; nothing if it is not readable."""
    try:
        with os.scandir(folder) as listing:
            return [(entry.name, _is_folder(entry)) for entry in listing]
    except (OSError, ValueError):  # a folder that is not there, or with an impossible name
        return []


def inner_folder(folder: Path, name: str) -> Path | None:
    """The folder of this name in another one, or else the only one in other letters."""
    there = [inner for inner, is_folder in list_folder(folder) if is_folder]
    alike = [inner for inner in there if inner.lower() == name.lower()]
    if name in alike or len(alike) == 1:
        return folder / (name if name in alike else alike[0])
    return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def visible_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files in a folder itself with such an ending (in lower case), not hidden, sorted."""
    names = sorted(name for name, inner in list_folder(folder) if not (inner or is_hidden(name)))
    return [folder / name for name in names if PurePath(name).suffix.lower() in suffixes]


def matching(pattern: Path) -> list[Path]:
    """What a pattern such as ``photos/**/*.jpg`` finds, sorted.

    The part of it that exists is taken as it is, whatever brackets it has. Hidden names are found
    only where the pattern writes them.
    """
    fixed, wild = _parted(pattern)
    if not wild.parts:
        return [fixed] if _exists(fixed) else []
    found = glob(os.path.join(escape(str(fixed)), str(wild)), recursive=True)
    return [path for path in map(Path, sorted(found)) if _is_wanted(path, fixed, wild)]


def existing_part(pattern: Path) -> Path:
    """The longest part in front of a pattern that exists."""
    return _parted(pattern)[0]


def _parted(pattern: Path) -> tuple[Path, Path]:
    """The longest part in front that exists, and the rest."""
    fixed, rest = Path(pattern.anchor), list(pattern.parts[1 if pattern.anchor else 0 :])
    while rest and _exists(fixed / rest[0]):
        fixed /= rest.pop(0)
    while rest and not has_magic(rest[0]):  # 'absent/*.jpg' leads nowhere, and glob says so
        fixed /= rest.pop(0)
    return fixed, Path(*rest)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_wanted(path: Path, fixed: Path, wild: PurePath) -> bool:
    written = [part for part in wild.parts if is_hidden(part)]
    hidden = [part for part in path.relative_to(fixed).parts if is_hidden(part)]
    return all(any(fnmatch(name, part) for part in written) for name in hidden)
