"""Paths as users write them, with ``~`` and ``$NAME``, in options and settings alike."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NewType

from focus_detr.errors import FocusDetrError

PathText = NewType("PathText", str)  # a setting that names a file or folder

_HOME = "~"
# a folder or file that is a variable, or one with a variable in braces in its name
_VARIABLE = re.compile(r"(?<![^/])\$([A-Za-z_]\w*)(?![^/])|\$\{(\w+)\}", re.ASCII)


def path_text(written: str | os.PathLike[str]) -> PathText:
    """A path with its ``~`` or ``~user`` replaced by that home; ``./~`` means one called so.

    Variables of the environment are replaced as well, unless something is called like the whole.
    For an option of a command (argparse's ``type``), a setting, and an argument in Python.

    Raises:
        FocusDetrError: there is no such home or variable, and nothing here is called so; or the
            text is empty, which would be taken for the folder that we are in, or for an option not
            given.
    """
    text = os.fspath(written)
    if not text:
        raise FocusDetrError("the path of a file or folder is empty")
    if not os.path.lexists(text):
        text = _VARIABLE.sub(lambda found: _variable(found[1] or found[2], text), text)
    name, slash, _ = text.partition("/")
    if not text.startswith(_HOME) or (name != _HOME and os.path.lexists(name)):
        return PathText(text)  # ~notes.txt may be a file
    unset = name == _HOME and os.environ.get("HOME") == ""  # Python would take the root folder
    home = name if unset else os.path.expanduser(name)
    if not os.path.isabs(home):
        if name != _HOME and not slash:
            return PathText(text)
        raise FocusDetrError(f"{text}: there is no home folder {name}")
    return PathText(home + text[len(name) :])


def _variable(name: str, text: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise FocusDetrError(f"{text}: there is no environment variable {name}")
    return value


def user_path(written: str | os.PathLike[str]) -> Path:
    """The same as a ``Path``.

    Raises:
        FocusDetrError: as ``path_text``.
    """
    return Path(path_text(written))


def check_utf8(path: Path, library: str = "MindSpore") -> None:
    """Refuse a path that a library cannot take, in whose names there are bytes outside UTF-8.

    Raises:
        FocusDetrError: it is one.
    """
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError as error:
        raise FocusDetrError(
            f"{library} cannot use {path.absolute()}: a file's name and those of the folders "
            "around it must be UTF-8"
        ) from error
