"""The files that names in annotations and lists mean, though other systems wrote them."""

from __future__ import annotations

import html
import logging
import ntpath
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from focus_detr.data.image_io import IMAGE_SUFFIXES
from focus_detr.data.unseen import UNSEEN, as_seen
from focus_detr.data.visible_files import is_hidden, list_folder
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text
from focus_detr.wording import counted

_log = logging.getLogger(__name__)
_FILE_ADDRESS = "file://"
_LOCAL_FILE = "d="

_Fold = Callable[[str], str]  # what it makes equal is taken for the same name


@dataclass(frozen=True)
class _Listing:
    """What a folder has."""

    names: frozenset[str]
    files: frozenset[str]


class NamedFiles:
    """Finds files below a folder by name; each folder is listed once, since disks may be far.

    A name is tried as it is first. Then as ``spellings`` has it; these with accents and then with
    upper and lower case taken for the same; a path of another machine by its end, as long as the
    folder's own name or a folder of that path is found again; and a name without the ending of a
    picture as the only picture of that name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listings: dict[Path, _Listing] = {}
        self._folded: dict[tuple[Path, _Fold], dict[str, list[str]]] = {}
        self._stems: dict[Path, dict[str, list[str]]] = {}

    def exact(self, name: str) -> Path | None:
        """The file of exactly this name."""
        path = self._folder / name
        return path if self._is_file(path) else None

    def find(self, name: str) -> Path | None:
        """The file; None if there is none, or if several fit equally well."""
        return _first(self._candidates(name))

    def _candidates(self, name: str) -> Iterator[Path | None]:
        yield self.exact(name)
        written = spellings(name)
        yield from map(self.exact, written[1:])
        for fold in (_as_written, _same_accents, same_letters):
            yield from (self._descend(given, fold) for given in written)
        yield from (self._by_end(given) for given in written)
        yield from (self._with_ending(given) for given in written)

    def _by_end(self, name: str) -> Path | None:
        drive, rest = ntpath.splitdrive(name)
        parts = PurePosixPath(rest).parts
        foreign = bool(drive) or "://" in rest or rest.startswith(("/", "../"))
        for start in range(1, len(parts)):
            same_folder = parts[start - 1] == self._folder.absolute().name
            if foreign or same_folder or start < len(parts) - 1:
                for fold in (_as_written, _same_accents, same_letters):
                    if found := self._descend("/".join(parts[start:]), fold):
                        return found
        return None

    def _with_ending(self, name: str) -> Path | None:
        """The only picture that a name without its ending means."""
        path = self._folder / name
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return None
        if path.parent not in self._stems:
            table = self._stems[path.parent] = {}
            for file in map(PurePosixPath, self._listing(path.parent).files):
                if file.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(file.name):
                    table.setdefault(file.stem, []).append(file.name)
        alike = self._stems[path.parent].get(path.name, [])
        return path.with_name(alike[0]) if len(alike) == 1 else None

    def _descend(self, name: str, fold: _Fold) -> Path | None:
        """The file at a relative path whose parts are the same once folded."""
        place, parts = self._folder, PurePosixPath(name).parts
        if not parts or parts[0] == "/":
            return None
        for part in parts:
            if part != ".." and part not in self._listing(place).names:
                alike = self._alike(place, fold).get(fold(part), [])
                if len(alike) != 1:
                    return None
                part = alike[0]
            place /= part
        return place if self._is_file(place) else None

    def _alike(self, place: Path, fold: _Fold) -> dict[str, list[str]]:
        if (place, fold) not in self._folded:
            table: dict[str, list[str]] = {}
            for name in self._listing(place).names:
                table.setdefault(fold(name), []).append(name)
            self._folded[place, fold] = table
        return self._folded[place, fold]

    def _is_file(self, path: Path) -> bool:
        return path.name in self._listing(path.parent).files

    def _listing(self, folder: Path) -> _Listing:
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        return self._listings[folder]


def find_all(folders: Sequence[Path], names: Sequence[str], source: Path) -> list[Path]:
    """The files of many names; those that are spelled otherwise are counted in a warning.

    A file that one name means exactly is never given to another, and what two other names would
    share goes to neither.

    Args:
        folders: that the names are relative to, the likeliest first.
        names: as they are written.
        source: where they are written, for the warning.

    Returns:
        A path for each name; below the first folder where there is no file.
    """
    places = [NamedFiles(folder) for folder in folders]
    exact = [_first(place.exact(name) for place in places) for name in names]
    missing = {name for name, path in zip(names, exact, strict=True) if path is None}
    guesses = {name: _first(place.find(name) for place in places) for name in missing}
    claims = Counter([*filter(None, exact), *guesses.values()])
    guesses = {name: path for name, path in guesses.items() if path and claims[path] == 1}
    if guesses:
        example = min(guesses)
        _log.warning(
            "%s: %s found under another spelling, such as %s for %r",
            *(source, counted(len(guesses), "file"), guesses[example], example),
        )
    return [
        path or guesses.get(name) or folders[0] / name
        for name, path in zip(names, exact, strict=True)
    ]


def _first(paths: Iterable[Path | None]) -> Path | None:
    return next(filter(None, paths), None)


def _list(folder: Path) -> _Listing:
    entries = list_folder(folder)
    files = frozenset(name for name, is_folder in entries if not is_folder)
    return _Listing(frozenset(name for name, _ in entries), files)


def spellings(name: str) -> list[str]:
    """The name in the ways that exports write it, the nearest first.

    That is without blanks and invisible marks around it, without what surrounds it in an address,
    without ``+`` and ``%20`` (or ``%2520``) and the like, with slashes for backslashes, without
    ``&amp;`` and the like, and with a home folder for ``~``.
    """
    found = {name: None}
    for step in _STEPS:
        found.update({step(given): None for given in found})
    return list(found)


def plain_letters(name: str) -> str:
    """Equal for names that differ only as ``spellings`` or ``same_letters`` have it."""
    for step in _STEPS:
        name = step(name)
    return same_letters(name)


def _stripped(name: str) -> str:
    return name.strip(UNSEEN)


def _of_address(name: str) -> str:
    """The path in an address; Label Studio's have it behind ``?d=``."""
    path, _, query = name.partition("?")
    if query.startswith(_LOCAL_FILE):
        return f"/{query.removeprefix(_LOCAL_FILE)}"
    return path.partition("#")[0] if "://" in path else name


def _without_plus(name: str) -> str:
    return name.replace("+", " ")


def _as_written(name: str) -> str:
    return name


def _with_slashes(name: str) -> str:
    return name.replace("\\", "/")


def _without_percent(name: str) -> str:
    return unquote(name.removeprefix(_FILE_ADDRESS))


def _from_home(name: str) -> str:
    if not name.startswith("~"):
        return name
    try:
        return path_text(name)
    except FocusDetrError:  # nobody's home
        return name


_STEPS: tuple[Callable[[str], str], ...] = (
    _stripped,
    _of_address,
    _without_plus,
    _without_percent,
    _without_percent,  # encoded twice
    _with_slashes,
    html.unescape,
    _from_home,
)


def _same_accents(name: str) -> str:
    return unicodedata.normalize("NFC", as_seen(name))


def same_letters(name: str) -> str:
    """Equal for names that differ in upper and lower case or the form of accents and blanks."""
    return _same_accents(name).casefold()
