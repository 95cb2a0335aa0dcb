"""Which picture a label file belongs to: one rule for all formats that have one for each picture.

The picture called like the label file at the same place, with or without its ending in the label
file's name (``photo.txt`` or ``photo.jpg.txt`` of ``photo.jpg``), if need be as another system
spells it. Only if there is none, the one that the file itself names, which is often an old name;
and where no label file has a picture at its own place, the only one of that name anywhere. No
picture gets two label files, and no label file two pictures.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from posixpath import basename, splitext

from focus_detr.data.named_files import plain_letters, same_letters, spellings
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def label_stems(picture: str) -> tuple[str, str]:
    """What label files of a picture are called, without their own ending; the nearer one first."""
    return picture, splitext(picture)[0]


def by_stem(files: Sequence[str], folder: Path) -> dict[str, str]:
    """Label files under their paths without the ending, each of which only one file can have.

    Of ``1.txt`` and ``1.TXT`` the first one counts; a warning counts the others. They are in the
    order of the files' names, from which VOC numbers its images.

    Args:
        files: relative to the folder.
        folder: for the warning.
    """
    found: dict[str, str] = {}
    again = [
        name for name in sorted(files, key=_ending) if found.setdefault(_stem(name), name) != name
    ]
    if again:
        _log.warning(
            "%s: left out %s beside another of the same name, such as %s beside %s",
            *(folder, counted(len(again), "label file"), again[0], found[_stem(again[0])]),
        )
    return dict(sorted(found.items(), key=itemgetter(1)))


def _ending(name: str) -> tuple[bool, str]:
    ending = splitext(name)[1]
    return ending != ending.lower(), name


def _stem(name: str) -> str:
    return splitext(name)[0]


@dataclass(frozen=True)
class Pairing:
    """Which label file goes with which picture."""

    pictures: Mapping[str, str]  # stem of the label file -> picture
    contradicted: tuple[str, ...]  # stems of label files that name another picture that exists
    rivals: Mapping[str, str]  # picture that is left without a label file -> the one that has it


def pair_labels(named: Mapping[str, str], pictures: Sequence[str]) -> Pairing:
    """Find the pictures of label files.

    Args:
        named: path of each label file without its ending -> the picture that it names, or ''.
        pictures: paths relative to the folder that corresponds to that of the label files.
    """
    index = _Index(pictures)
    found = _without_shared({stem: _called_like(stem, named, index) for stem in named})
    taken = set(found.values())
    guesses = {
        stem: guess
        for stem in named.keys() - found.keys()
        if (guess := index.said(named[stem]) or (None if taken else index.alone(stem)))
        and guess not in taken
    }
    claims = Counter(guesses.values())
    found |= {stem: name for stem, name in guesses.items() if claims[name] == 1}
    taken = set(found.values())
    contradicted = [s for s, name in found.items() if index.said(named[s]) not in (None, name)]
    rivals = {
        other: name
        for stem, name in found.items()
        for other in index.called_like(stem)
        if other not in taken
    }
    return Pairing(found, tuple(contradicted), rivals)


def warn_of_rivals(source: Path, rivals: Mapping[str, str]) -> None:
    """Count pictures that are left out because another has their label file."""
    if rivals:
        example = min(rivals)
        _log.warning(
            "%s: left out %s whose label file belongs to another picture, such as %s beside %s",
            *(source, counted(len(rivals), "picture"), example, rivals[example]),
        )


def _called_like(stem: str, named: Mapping[str, str], index: _Index) -> str | None:
    """The picture of the same name; of several the one that is meant, or that no other can mean."""
    alike = index.called_like(stem)
    said = index.said(named[stem])
    if said in alike:
        return said
    free = [name for name in alike if name == stem or name not in named]
    return next(iter(free or alike), None)


def _without_shared(found: Mapping[str, str | None]) -> dict[str, str]:
    """Each picture once: with the label file whose name is the nearest to its own."""
    owners: dict[str, tuple[int, str]] = {}
    for stem, name in found.items():
        if name:
            alike = [*label_stems(name), stem]
            mine = alike.index(stem), stem
            owners[name] = min(owners.get(name, mine), mine)
    return {stem: name for name, (_, stem) in owners.items()}


class _Index:
    """Pictures by name."""

    def __init__(self, pictures: Sequence[str]) -> None:
        self._ordered = sorted(pictures)
        self._names = set(self._ordered)
        self._by_stem = self._table(lambda stem: stem)

    @cached_property
    def _folded(self) -> list[tuple[Callable[[str], str], dict[str, list[str]]]]:
        return [(key, self._table(key)) for key in (same_letters, plain_letters)]

    @cached_property
    def _by_base(self) -> dict[str, list[str]]:
        return self._table(basename)

    def _table(self, key: Callable[[str], str]) -> dict[str, list[str]]:
        """Pictures by what the key makes of their stems."""
        table: dict[str, list[str]] = {}
        for name in self._ordered:
            for stem in {*map(key, label_stems(name))}:
                table.setdefault(stem, []).append(name)
        return table

    def called_like(self, stem: str) -> list[str]:
        """Pictures of this path; else the only one that is this path spelled otherwise."""
        if alike := self._by_stem.get(stem):
            return alike
        ways = (table.get(key(stem), []) for key, table in self._folded)
        return next((alike for alike in ways if len(alike) == 1), [])

    def said(self, name: str) -> str | None:
        """The picture that a name in a label file means: as it is, by its last part, its stem."""
        if not name.strip() or name in self._names:
            return name if name in self._names else None
        written = spellings(name)
        bases = [*filter(None, map(basename, written))]
        for given in (*written, *bases):
            if given in self._names:
                return given
        for base in bases:
            alike = [name for name in self._by_base.get(base, []) if basename(name) == base]
            if len(alike) == 1:
                return alike[0]
        stems = [splitext(base)[0] for base in bases]
        ways = [self._by_base.get(stem, []) for stem in (*bases, *stems)]
        return next((alike[0] for alike in ways if len(alike) == 1), None)

    def alone(self, stem: str) -> str | None:
        """The only picture of this name in any folder."""
        alike = self._by_base.get(basename(stem), [])
        return alike[0] if len(alike) == 1 else None
