"""Settings files that travel with the package, and how a user names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.wording import close_names, did_you_mean

SUFFIX = ".yaml"
_FIRST = "base" + SUFFIX  # tells the folder from others of its name
_CLOSE = 4  # names that are offered for one that is unknown


def recipe_folder() -> Path:
    """Where they lie: in the installed package, or in the clone that this package belongs to."""
    package = Path(__file__).resolve().parents[1]
    folders = (package / "recipes", package.parents[1] / "config")
    return next((folder for folder in folders if (folder / _FIRST).is_file()), folders[0])


def recipe_names() -> list[str]:
    """What they are called, such as ``focus_detr_r50`` and ``ablations/keep_20``."""
    folder = recipe_folder()
    files = sorted(folder.rglob(f"*{SUFFIX}"))
    return [file.relative_to(folder).with_suffix("").as_posix() for file in files]


def find_settings(wanted: Path, name: str) -> Path:
    """The settings file that a user means.

    Args:
        wanted: where it lies if it is a file of the user.
        name: what the user wrote.

    Returns:
        ``wanted``, or if there is no such file and the package has settings of that name, theirs.

    Raises:
        FocusDetrError: neither is there; says which names are close.
    """
    if _may_be_read(wanted):
        return wanted
    names = recipe_names()
    if name in names:
        return recipe_folder() / f"{name}{SUFFIX}"
    path = Path(name)
    if path.suffix == SUFFIX:
        _point_to(path, names)
    elif _looks_like_name(name):
        close = close_names(name, names, _CLOSE)
        offered = did_you_mean(close) or f"it has {', '.join(names)}"
        raise FocusDetrError(
            f"there is no file {name}, and the package has no such settings; {offered}"
        )
    return wanted  # reading it tells what is wrong


def _may_be_read(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that is closed: reading it tells
        return True


def _point_to(path: Path, names: Sequence[str]) -> None:
    """Help who names a file of the package by the path that it has in a clone."""
    written = f"/{path.with_suffix('').as_posix()}"
    meant = [name for name in names if written.endswith(f"/{name}")]
    if meant:
        raise FocusDetrError(
            f"there is no file {path} here; the settings of the package go by name: {meant[-1]}"
        )


def _looks_like_name(name: str) -> bool:
    return name.isprintable() and name not in ("", ".", "..") and not name.startswith(("/", "~"))
